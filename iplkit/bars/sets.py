"""Fresh image sets for measuring: samples of a generator, renders of the world. Batched, 8 bits, from seeds.

Each set has its own seed, made from the measurement's seed and the set's purpose, so that no two share a portrait.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from iplkit.adapt.draws import draw_seed
from iplkit.images import to_uint8
from iplkit.latents import sample_z
from iplkit.world.factors import sample_factors
from iplkit.world.render import render


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    n: int = 10_000  # samples or renders a set
    frontal: int = 500  # W1
    paired: int = 32  # W3, a domain
    faces: int = 2000  # dlib on samples and renders, each
    people: int = 200  # M5
    shares: int = 9  # M5, steps from 0 to 1
    steered: int = 1000  # M7
    fitted: int = 64  # FIT, a domain
    size: int = 64  # pixels of the models
    batch: int = 100
    seed: int = 2024
    device: str = "cpu"

    @classmethod
    def of(cls, n: int = 10_000, quick: bool = False, **changes) -> "Scale":
        """The printed scale, or a quick one of a tenth and less."""
        scale = cls(n=n, faces=min(n, cls.faces), **changes)
        if quick:
            return replace(scale, n=min(n, 1000), frontal=60, paired=4, faces=min(n, 200), people=20, shares=5, steered=200, fitted=8)
        return scale


def rng(scale: Scale, purpose: str) -> torch.Generator:
    """A source of random numbers for one purpose."""
    return torch.Generator().manual_seed(draw_seed(scale.seed, purpose))


def texture_seed(scale: Scale, purpose: str) -> int:
    """First seed of the textures of one set; portrait i takes this plus i. Small enough for any integer type."""
    return draw_seed(scale.seed, purpose + " texture") % 2**30


def people(scale: Scale, purpose: str, n: int | None = None) -> Tensor:
    """Factors of fresh portraits, ``[n, F]`` on the CPU."""
    return sample_factors(scale.n if n is None else n, rng(scale, purpose))


@torch.no_grad()
def draw_renders(scale: Scale, factors: Tensor, domain: str = "photo", seed: int = 0, size: int | None = None) -> Iterator[Tensor]:
    """Renders of given people, in batches of uint8 ``[b, 3, size, size]``."""
    size = size or scale.size
    for start in range(0, len(factors), scale.batch):
        part = factors[start : start + scale.batch].to(scale.device)
        yield to_uint8(render(part, domain, size=size, seed=seed + start))


def renders(scale: Scale, purpose: str, domain: str = "photo", n: int | None = None) -> Iterator[Tensor]:
    """Renders of fresh people."""
    return draw_renders(scale, people(scale, purpose, n), domain, texture_seed(scale, purpose))


@torch.no_grad()
def samples(scale: Scale, generator: nn.Module, purpose: str = "samples", n: int | None = None) -> Iterator[Tensor]:
    """Samples of a generator at psi 1 with fresh noise, in batches of uint8."""
    n = scale.n if n is None else n
    codes, noise = rng(scale, purpose), torch.Generator(scale.device).manual_seed(draw_seed(scale.seed, purpose + " noise"))
    for start in range(0, n, scale.batch):
        z = sample_z(min(scale.batch, n - start), codes, generator.config.z_dim).to(scale.device)
        yield to_uint8(generator.synthesis(generator.mapping(z), noise_mode="random", generator=noise))
