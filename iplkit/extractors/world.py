"""The world profile: four small extractors that travel with the package.

The judge stands in for Inception and for VGG, the identity net for ArcFace, `edges` for HED. The critic, which served
losses, measures nothing here. The CLIP is the one that steered the adaptation, so its scores are marked.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.extractors.base import Extractor
from iplkit.extractors.edges import soft_edges
from iplkit.extractors.lpips import unit_layers
from iplkit.images import from_uint8
from iplkit.nets.judge import LAYERS


class Judge(Extractor):
    """The judge's answers and maps.

    Layers: "pool" ``[N, D]``; "domain_probs" ``[N, C]`` and "kinds_probs" ``[N, K]``, rows that sum to 1;
    "kinds_logits" ``[N, K]``; "factors" ``[N, F]`` in [0, 1]; the maps "stem", "mix1", ... ``[N, C, h, w]``; and
    "lpips" ``[N, E]``, in which squared distances are LPIPS with equal weights (see `iplkit.extractors.lpips.unit_layers`).
    """

    name = "judge"
    profile = "world"
    layers = ("pool", "domain_probs", "kinds_probs", "kinds_logits", "factors", *LAYERS, "lpips")
    bulky = (*LAYERS, "lpips")
    protocol = {"resize": "bicubic to 64, antialias", "range": "[-1, 1]"}

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        out = self.net(from_uint8(images))
        found = dict(out.features) | {"kinds_logits": out.kinds_logits, "factors": out.factors}
        found |= {"domain_probs": out.domain_logits.double().softmax(1), "kinds_probs": out.kinds_logits.double().softmax(1)}
        if "lpips" in layers:
            found["lpips"] = unit_layers([out.features[name].float() for name in LAYERS])
        return found


class Identity(Extractor):
    """Who it is: "embedding" ``[N, 128]`` on the unit sphere."""

    name = "identity"
    profile = "world"
    layers = ("embedding",)
    protocol = {"resize": "bicubic to 64, antialias", "range": "[-1, 1]"}

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        return {"embedding": self.net(from_uint8(images))}


class Edges(Extractor):
    """Where lines are: "edges" ``[N, 1, H, W]`` in [0, 1), at the size of the images; see `soft_edges`."""

    name = "edges"
    profile = "world"
    layers = ("edges",)
    protocol = {"detector": "soft edges, scales 1 and 2, half at contrast 0.1", "resize": "none"}

    def __init__(self):
        super().__init__(None)

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        return {"edges": soft_edges(from_uint8(images))}


class WorldClip(Extractor):
    """The world's CLIP: "embedding" ``[N, E]`` on the unit sphere."""

    name = "clip"
    profile = "world"
    layers = ("embedding",)
    protocol = {"resize": "bicubic to 64, antialias", "role": "training objective"}

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        return {"embedding": F.normalize(self.net.encode_image(from_uint8(images)).float(), dim=-1)}

    @torch.no_grad()
    def text(self, sentences: list[str]) -> Tensor:
        """Features of sentences on the unit sphere, ``[S, E]``; refuses words that the CLIP never saw."""
        return F.normalize(self.net.encode_text(self.net.tokenize(sentences)).float(), dim=-1).cpu()


CLASSES = {"judge": Judge, "identity": Identity, "edges": Edges, "clip": WorldClip}


def world_extractor(name: str, net: nn.Module | None = None) -> Extractor:
    """A world extractor by name.

    Args:
        name: "judge", "identity", "edges" or "clip".
        net: another network of the kind; None takes the shipped one, whose hash is that of its file.
    """
    if name == "edges":
        return Edges()
    if net is not None:
        return CLASSES[name](net)
    return CLASSES[name](zoo.load(name), zoo.hashes()[zoo.entry(name).file])
