"""Random texture as a pure function of place and seed: value noise, cells, grain.

A fixed tile of random numbers is looked up with an offset that the seed decides, so that every size shows the same
texture and every batch gives the same picture.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 64


@functools.cache
def _tile() -> Tensor:
    g = torch.Generator().manual_seed(20230601)
    return torch.rand(2, TILE, TILE, generator=g)


def _offsets(seeds: Tensor, salt: int) -> Tensor:
    """Two numbers in [0, 1) a seed, ``[N]`` -> ``[N, 2]``."""
    k = seeds.to(torch.int64) * 2654435761 + salt * 40503 + 12345
    a = ((k ^ (k >> 13)) * 1274126177) & 0x7FFFFFFF
    b = ((a ^ (a >> 11)) * 668265263) & 0x7FFFFFFF
    return torch.stack([a % 4096, b % 4096], 1).to(torch.float32) / 4096


def _ease(t: Tensor) -> Tensor:
    """Slow down at the lattice points, so that linear interpolation between them looks smooth."""
    whole = torch.floor(t.detach())
    r = t - whole
    return whole + r * r * (3 - 2 * r) + 0.5


def value_noise(x: Tensor, y: Tensor, frequency: float, seeds: Tensor, salt: int = 0) -> Tensor:
    """Smooth random field in [0, 1].

    Args:
        x, y: coordinates, ``[N or 1, 1, H, W]``, any unit.
        frequency: random values per unit.
        seeds: ``[N]`` integers.
        salt: another number, another field.

    Returns:
        ``[N, 1, H, W]``.
    """
    n = len(seeds)
    off = _offsets(seeds, salt).to(x.device)
    gx = _ease(x * frequency + off[:, :1, None, None] * TILE).expand(n, 1, *x.shape[-2:]) / TILE
    gy = _ease(y * frequency + off[:, 1:, None, None] * TILE).expand(n, 1, *y.shape[-2:]) / TILE
    gx, gy = gx - torch.floor(gx.detach()), gy - torch.floor(gy.detach())
    tile = F.pad(_tile()[:1].to(x.device)[None], (1, 1, 1, 1), mode="circular")
    scale = TILE / (TILE + 2)
    grid = torch.cat([(2 * gx - 1) * scale, (2 * gy - 1) * scale], 1).permute(0, 2, 3, 1)
    return F.grid_sample(tile.expand(n, -1, -1, -1).to(grid.dtype), grid, mode="bilinear", align_corners=False)


def grain(n: int, height: int, width: int, seeds: Tensor) -> Tensor:
    """White noise with mean 0 and standard deviation 1, ``[n, 1, height, width]``, one pattern a seed."""
    ys = torch.arange(height, device=seeds.device).view(1, 1, -1, 1)
    xs = torch.arange(width, device=seeds.device).view(1, 1, 1, -1)
    k = (xs * 374761393 + ys * 668265263 + seeds.to(torch.int64).view(-1, 1, 1, 1) * 2246822519) & 0xFFFFFFFF
    k = ((k ^ (k >> 13)) * 1274126177) & 0xFFFFFFFF
    k = (k ^ (k >> 16)) & 0xFFFF
    return (k.to(torch.float32) / 65535 - 0.5) * 3.4641


def cells(x: Tensor, y: Tensor, frequency: float, seeds: Tensor, jitter: float = 0.8) -> tuple[Tensor, Tensor, Tensor]:
    """Voronoi cells of a jittered lattice: which cell a place belongs to, and how far its border is.

    Returns:
        Three fields ``[N, 1, H, W]``: a random number in [0, 1] that is constant in a cell, a second one, and the
        distance to the border (in lattice units, 0 on it).
    """
    n = len(seeds)
    off = (_offsets(seeds, 7) * TILE).floor().to(x.device)
    fx = (x * frequency).expand(n, 1, *x.shape[-2:])
    fy = (y * frequency).expand(n, 1, *y.shape[-2:])
    ix, iy = torch.floor(fx.detach()), torch.floor(fy.detach())
    tile = _tile().to(x.device)
    best = torch.full_like(fx, 9.0)
    second = torch.full_like(fx, 9.0)
    id_a, id_b = torch.zeros_like(fx), torch.zeros_like(fx)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            cx, cy = ix + dx, iy + dy
            jx = ((cx + off[:, :1, None, None]) % TILE).long()
            jy = ((cy + off[:, 1:, None, None]) % TILE).long()
            ra, rb = tile[0][jy, jx], tile[1][jy, jx]
            d = ((cx + 0.5 + jitter * (ra - 0.5) - fx) ** 2 + (cy + 0.5 + jitter * (rb - 0.5) - fy) ** 2).clamp_min(1e-8).sqrt()
            nearer = d < best
            second = torch.where(nearer, best, torch.minimum(second, d))
            id_a, id_b = torch.where(nearer, ra, id_a), torch.where(nearer, rb, id_b)
            best = torch.where(nearer, d, best)
    return id_a, id_b, (second - best) / 2


def dots(x: Tensor, y: Tensor, frequency: float, seeds: Tensor, jitter: float = 0.45) -> tuple[Tensor, Tensor, Tensor]:
    """One dot a lattice cell: two random numbers of the dot, and the distance to its middle in lattice units."""
    n = len(seeds)
    off = (_offsets(seeds, 9) * TILE).floor().to(x.device)
    fx = (x * frequency).expand(n, 1, *x.shape[-2:])
    fy = (y * frequency + 0.5 * (torch.floor(x.detach() * frequency) % 2)).expand(n, 1, *y.shape[-2:])
    ix, iy = torch.floor(fx.detach()), torch.floor(fy.detach())
    jx = ((ix + off[:, :1, None, None]) % TILE).long()
    jy = ((iy + off[:, 1:, None, None]) % TILE).long()
    a, b = _tile().to(x.device)[0][jy, jx], _tile().to(x.device)[1][jy, jx]
    near = ((fx - ix - 0.5 - jitter * 0.4 * (a - 0.5)) ** 2 + (fy - iy - 0.5 - jitter * 0.4 * (b - 0.5)) ** 2 + 1e-9).sqrt()
    return a, b, near
