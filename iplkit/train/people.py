"""Which person a latent code stands for, and a pool of (code, photo) pairs.

A GAN learns by itself what its latent code means. The shipped generator gets a warm start instead: the mapping network is
taught to keep 25 fixed random directions of z in w. What a linear reading of w then says, made uniform by its own
distribution, *is* the code's person; 487 directions of z stay free.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from iplkit.images import to_uint8
from iplkit.world.factors import NUM_FACTORS, from_uniform
from iplkit.world.render import render

DIRECTIONS_SEED = 1812
SAMPLES, KNOTS = 20_000, 256


def directions(z_dim: int = 512) -> Tensor:
    """25 orthonormal directions of z, ``[z_dim, 25]``, always the same."""
    g = torch.Generator().manual_seed(DIRECTIONS_SEED)
    return torch.linalg.qr(torch.randn(z_dim, NUM_FACTORS, generator=g))[0]


def uniform_of(z: Tensor) -> Tensor:
    """The uniform numbers that the mapping network is taught, ``[N, z_dim]`` -> ``[N, 25]`` in [0, 1].

    z is first scaled to mean square 1, as the mapping network does.
    """
    z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
    return 0.5 * (1 + torch.erf(z @ directions(z.shape[1]).to(z) / math.sqrt(2)))


@dataclass
class Reading:
    """The linear reading of w that names the person.

    Args:
        weight: ``[w_dim + 1, 25]``, the last row is the constant.
        knots: quantiles of each reading over many codes, ``[25, KNOTS + 1]``.
    """

    weight: Tensor
    knots: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, mapping: nn.Module, seed: int = 0) -> "Reading":
        """Fit the reading to a mapping network by least squares over `SAMPLES` codes; always the same result."""
        z = torch.randn(SAMPLES, mapping.z_dim, generator=torch.Generator().manual_seed(seed))
        w = torch.cat([mapping.w(part) for part in z.split(2000)]).double()
        x = torch.cat([w, torch.ones(len(w), 1, dtype=w.dtype)], 1)
        ridge = 1e-3 * len(w) * torch.eye(x.shape[1], dtype=w.dtype)
        weight = torch.linalg.solve(x.T @ x + ridge, x.T @ (uniform_of(z).double() - 0.5))
        steps = torch.linspace(0, 1, KNOTS + 1, dtype=w.dtype)
        return cls(weight.float(), torch.quantile(x @ weight, steps, dim=0).T.contiguous().float())

    def factors(self, w: Tensor) -> Tensor:
        """The world's factors that some w stand for, ``[N, w_dim]`` -> ``[N, 25]`` in [0, 1]."""
        read = (w @ self.weight[:-1] + self.weight[-1]).T.contiguous()  # [25, N]
        k = torch.searchsorted(self.knots, read).clamp(1, KNOTS)
        low, high = self.knots.gather(1, k - 1), self.knots.gather(1, k)
        share = ((read - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        return from_uniform(((k - 1 + share) / KNOTS).T.contiguous())


def codes(first: int, n: int, seed: int, z_dim: int = 512) -> Tensor:
    """Codes number `first` to ``first + n`` of the pool with this seed; any block can be drawn alone."""
    return torch.cat([torch.randn(1, z_dim, generator=torch.Generator().manual_seed(seed * 10_000_019 + i)) for i in range(first, first + n)])


class Pool:
    """Photos of the people of ``codes(0, n, seed)`` on disk, uint8; drawn block by block, kept between runs."""

    BLOCK = 256

    def __init__(self, folder: Path, n: int, size: int, seed: int):
        self.n, self.size, self.seed = n, size, seed
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _file(self, block: int) -> Path:
        return self.folder / f"photos-{self.size}-{self.seed}-{block:05d}.npy"

    @torch.no_grad()
    def fill(self, mapping: nn.Module, part: int = 0, parts: int = 1, progress=lambda done, total: None) -> None:
        """Draw the blocks that are missing; `part` of `parts` processes takes every parts-th."""
        reading = Reading.of(mapping)
        blocks = range(part, math.ceil(self.n / self.BLOCK), parts)
        for i, block in enumerate(blocks):
            if not self._file(block).exists():
                w = mapping.w(codes(block * self.BLOCK, self.BLOCK, self.seed))
                images = render(reading.factors(w), "photo", self.size, seed=self.seed * 7919 + block * self.BLOCK)
                temporary = self._file(block).with_suffix(f".tmp{part}.npy")
                np.save(temporary, to_uint8(images).numpy())
                temporary.replace(self._file(block))
            progress(i + 1, len(blocks))

    def load(self) -> tuple[Tensor, Tensor]:
        """All codes ``[n, z_dim]`` and photos, uint8 ``[n, 3, size, size]``."""
        blocks = math.ceil(self.n / self.BLOCK)
        images = torch.cat([torch.from_numpy(np.load(self._file(b))) for b in range(blocks)])[: self.n]
        return codes(0, self.n, self.seed), images
