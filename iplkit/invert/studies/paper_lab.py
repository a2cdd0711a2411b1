"""The lab with the papers' networks: the same searches, on the generator's own pictures.

Nobody knows the people of these pictures. So what reads factors or domains, or asks for true pictures, is refused.

Axis letters: N images, R rows of W+, D width of w.
"""

from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.errors import NotHere
from iplkit.images import to_uint8
from iplkit.invert.perceptual import Perceptual
from iplkit.invert.studies.lab import Lab


def lab_of(profile: str, n: int, steps: int = 200, seed: int = 2024) -> Lab:
    """The lab of a profile, "world" or "paper"; see `Lab` for the rest."""
    return Lab(n, steps, seed) if profile == "world" else PaperLab(n, steps, seed)


class PaperLab(Lab):
    """See `Lab`. The perceptual term is VGG's, LPIPS and identity are the published ones, the encoder is e4e."""

    def model(self, name: str) -> nn.Module:
        """A frozen model of the reader's; refused where the profile has no such part."""
        if name in ("critic", "encoder", "bridge"):
            raise NotHere(f"the world's {name} is no network of the papers")
        if name not in self.given:
            self.given[name] = zoo.load(name, "paper")
        return self.given[name]

    @cached_property
    def perceptual(self) -> Perceptual:
        """Four layers of VGG-16."""
        from iplkit.invert.vgg import paper_perceptual

        return paper_perceptual()

    def people(self, purpose: str) -> Tensor:
        """Refused: nobody knows them."""
        raise NotHere("only the world knows the people of its pictures")

    def shots(self, factors: Tensor, domain: str = "photo", purpose: str = "texture") -> Tensor:
        """Refused: only the world can draw people."""
        raise NotHere("only the world draws pictures of given people")

    def portraits(self, purpose: str, domain: str = "photo") -> Tensor:
        """Pictures of the generator, ``[n, 3, S, S]`` in [-1, 1]; of its own domain alone."""
        if domain != "photo":
            raise NotHere(f"only the world has true pictures of {domain}")
        return self.samples(purpose)[1]

    def encode(self, images: Tensor, passes: int = 1, reach: float = 1.0) -> Tensor:
        """e4e's code, ``[N, R, D]``; it knows one pass and one reach."""
        if reach != 1.0:
            raise NotHere("only the world's encoder says how far it goes from W")
        if "e4e" not in self.given:
            self.given["e4e"] = zoo.load("e4e", "paper")
        return torch.cat([self.given["e4e"](part) for part in images.split(1)])

    def lpips(self, images: Tensor, other: Tensor) -> Tensor:
        """LPIPS on VGG-16 of each pair, ``[N]``."""
        from iplkit.extractors.catalog import load_extractor
        from iplkit.extractors.lpips import lpips_of_pairs

        return lpips_of_pairs(load_extractor("lpips", "paper"), to_uint8(images), to_uint8(other))

    def likeness(self, images: Tensor, other: Tensor) -> Tensor:
        """Cosine of ArcFace's embeddings of each pair, ``[N]``."""
        from iplkit.extractors.catalog import load_extractor

        arcface = load_extractor("identity", "paper")
        return F.cosine_similarity(*(arcface(to_uint8(x))["embedding"] for x in (images, other)))

    def read(self, images: Tensor) -> Tensor:
        """Refused: only the world's judge reads factors."""
        raise NotHere("only the world's judge reads factors")

    def domain_share(self, images: Tensor, domain: int = 0) -> Tensor:
        """Refused: only the world's judge knows its domains."""
        raise NotHere("only the world's judge knows its domains")
