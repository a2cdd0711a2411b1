"""Which person a latent code stands for, and a pool of (code, photo) pairs drawn from it.

A GAN learns by itself what its latent code means. The shipped generator gets a warm start instead: 25 fixed random
directions of z, pushed through the normal distribution function, are the world's uniform numbers. The remaining 487
directions are free.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.images import to_uint8
from iplkit.world.factors import NUM_FACTORS, from_uniform
from iplkit.world.render import render

DIRECTIONS_SEED = 1812


def directions(z_dim: int = 512) -> Tensor:
    """25 orthonormal directions of z, ``[z_dim, 25]``, always the same."""
    g = torch.Generator().manual_seed(DIRECTIONS_SEED)
    return torch.linalg.qr(torch.randn(z_dim, NUM_FACTORS, generator=g))[0]


def uniform_of(z: Tensor) -> Tensor:
    """The uniform numbers that a code stands for, ``[N, z_dim]`` -> ``[N, 25]`` in [0, 1].

    z is first scaled to mean square 1, as the mapping network does.
    """
    z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
    return 0.5 * (1 + torch.erf(z @ directions(z.shape[1]).to(z) / math.sqrt(2)))


def factors_of(z: Tensor) -> Tensor:
    """The world's factors that a code stands for, ``[N, z_dim]`` -> ``[N, 25]``."""
    return from_uniform(uniform_of(z))


def codes(first: int, n: int, seed: int, z_dim: int = 512) -> Tensor:
    """Codes number `first` to ``first + n`` of the pool with this seed; any block can be drawn alone."""
    return torch.cat([torch.randn(1, z_dim, generator=torch.Generator().manual_seed(seed * 10_000_019 + i)) for i in range(first, first + n)])


class Pool:
    """Photos of ``codes(0, n, seed)`` on disk, uint8 ``[n, 3, size, size]``; drawn block by block, kept between runs."""

    BLOCK = 256

    def __init__(self, folder: Path, n: int, size: int, seed: int):
        self.n, self.size, self.seed = n, size, seed
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _file(self, block: int) -> Path:
        return self.folder / f"photos-{self.size}-{self.seed}-{block:05d}.npy"

    def fill(self, part: int = 0, parts: int = 1, progress=lambda done, total: None) -> None:
        """Draw the blocks that are missing; `part` of `parts` processes takes every parts-th."""
        blocks = range(part, math.ceil(self.n / self.BLOCK), parts)
        for i, block in enumerate(blocks):
            if not self._file(block).exists():
                z = codes(block * self.BLOCK, self.BLOCK, self.seed)
                with torch.no_grad():
                    images = render(factors_of(z), "photo", self.size, seed=self.seed * 7919 + block * self.BLOCK)
                temporary = self._file(block).with_suffix(f".tmp{part}.npy")
                np.save(temporary, to_uint8(images).numpy())
                temporary.replace(self._file(block))
            progress(i + 1, len(blocks))

    def load(self) -> tuple[Tensor, Tensor]:
        """All codes ``[n, z_dim]`` and photos, uint8 ``[n, 3, size, size]``."""
        blocks = math.ceil(self.n / self.BLOCK)
        images = torch.cat([torch.from_numpy(np.load(self._file(b))) for b in range(blocks)])[: self.n]
        return codes(0, self.n, self.seed), images


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    part, parts, n = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    Pool(Path(".cache/photos"), n, 64, 1).fill(part, parts)
