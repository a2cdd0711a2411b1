"""A CLIP that took no part in training, for scores of style and direction.

Cherti et al. 2023, "Reproducible scaling laws for contrastive language-image learning"; Gadre et al. 2023, "DataComp".
"""

from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.clip.model import load_open_clip
from iplkit.extractors.base import Extractor
from iplkit.images import from_uint8
from iplkit.weights import sha256 as hash_of_file


class ClipExtractor(Extractor):
    """An open_clip model: "embedding" ``[N, E]`` on the unit sphere, and `text`."""

    name = "clip"
    profile = "paper"
    layers = ("embedding",)
    protocol = {"resize": "bicubic, antialias, center crop", "role": "held out"}
    architecture = "ViT-L-14"

    @classmethod
    def from_file(cls, path: str | Path, sha256: str | None = None) -> Self:
        """Read weights of open_clip; see `iplkit.clip.model.load_open_clip` for what is refused."""
        return cls(load_open_clip(cls.architecture, path), sha256 or hash_of_file(path))

    @classmethod
    def random_weights(cls, seed: int = 0) -> Self:
        """The architecture with open_clip's own initialization, from a seed."""
        import open_clip

        from iplkit.clip.products import hasten
        from iplkit.clip.towers import Clip, freeze

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(freeze(Clip(hasten(open_clip.CLIP(**open_clip.get_model_config(cls.architecture))))), random=True)

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        return {"embedding": F.normalize(self.net.encode_image(from_uint8(images)).float(), dim=-1)}

    @torch.no_grad()
    def text(self, sentences: list[str]) -> Tensor:
        """Features of sentences on the unit sphere, ``[S, E]``."""
        return F.normalize(self.net.encode_text(self.net.tokenize(sentences)).float(), dim=-1).cpu()
