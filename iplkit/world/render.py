"""Draw portraits: a pure function of (factors, domain, size, seed), on any device, at any size from 32 to 1024.

Differentiable in the factors. `blend` draws the way from one domain to another: the head's shape and the paint both
move by the share.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.world.curves import Numbers
from iplkit.world.domains.catalog import DOMAINS, check_domain, style
from iplkit.world.factors import NAMES, check_factors
from iplkit.world.geometry import pixel_grid, pose_of, surface, to_head
from iplkit.world.parts import parts_of
from iplkit.world.shading import Canvas, colors_of, normals

SMALLEST, LARGEST = 32, 1024
CHUNK_PIXELS = 2**17  # working set of one chunk, chosen to stay in the cache of a laptop


def check_size(size: int) -> None:
    """Refuse a size the world does not draw.

    Raises:
        UserError: one sentence.
    """
    if not isinstance(size, int) or not SMALLEST <= size <= LARGEST or size % 4:
        raise UserError(f"size must be a multiple of 4 from {SMALLEST} to {LARGEST} pixels; got {size}")


def seeds_of(seed, n: int, device) -> Tensor:
    """One seed a portrait, ``[n]``: a single number counts up from the first portrait.

    Raises:
        UserError: if there are neither one nor n of them.
    """
    seeds = torch.as_tensor(seed, dtype=torch.int64, device=device)
    seeds = seeds + torch.arange(n, device=device) if seeds.ndim == 0 else seeds
    if seeds.shape != (n,):
        raise UserError(f"seed must be one number or one a portrait ({n}); got shape {tuple(seeds.shape)}")
    return seeds


def canvas(factors: Tensor, source: str, target: str, share: Tensor, size: int, seeds: Tensor, softness: float = 0.0) -> Canvas:
    """Masks, colors and normals of one chunk; the head is bent `share` of the way from source to target.

    Args:
        factors: ``[N, F]``.
        source, target: domain names.
        share: ``[N]`` in [0, 1].
        size: pixels.
        seeds: ``[N]``.
        softness: least width of an edge in head units; above 0 the gradient reaches further (used by fitting).
    """
    a, b = style(source), style(target)
    tweaks = a.TWEAKS.toward(b.TWEAKS, share)
    xs, ys = pixel_grid(size, factors.device, factors.dtype)
    for s in {a, b}:
        if hasattr(s, "warp"):
            xs, ys = s.warp(xs, ys, tweaks, seeds)
    p = pose_of(factors, tweaks)
    s = surface(*to_head(xs, ys, p), p)
    px = (2 / size) / p.scale
    m = parts_of(s, factors, NAMES, tweaks, p, px.clamp_min(softness) * 1.1)
    f = Numbers.of(factors, NAMES, tweaks).f
    return Canvas(s, m, f, colors_of(f), normals(s, m, px), px, xs, ys, seeds, 2 / size)


def _paint(domain: str, c: Canvas) -> Tensor:
    """A domain repaints skin, lips or eyes as it likes, so it gets a copy of the colors."""
    return style(domain).paint(replace(c, color=dict(c.color)))


def _inner(size: int) -> int:
    """Side at which a picture is painted: small ones at twice their size, then averaged."""
    return size * 2 if size <= 64 else size


def _draw(factors, source, target, share, size, seeds, softness) -> Tensor:
    inner = _inner(size)
    c = canvas(factors, source, target, share, inner, seeds, softness)
    rgb = _paint(source, c)
    if target != source:
        s = share.view(-1, 1, 1, 1)
        rgb = rgb + s * (_paint(target, c) - rgb)
    if inner != size:
        rgb = F.avg_pool2d(rgb, inner // size)
    return rgb * 2 - 1


def chunks(n: int, size: int) -> list[slice]:
    """Rows of a batch that are drawn together."""
    step = max(1, CHUNK_PIXELS // _inner(size) ** 2)
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def blend(factors: Tensor, source: str, target: str, share, size: int = 64, seed=0, softness: float = 0.0) -> Tensor:
    """Portraits on the way from one domain to another.

    Args:
        factors: ``[N, F]`` in [0, 1].
        source, target: names of two domains.
        share: 0 source .. 1 target, a number or ``[N]``.
        size: pixels, a multiple of 4 from 32 to 1024.
        seed: texture that is no factor: one integer (portrait i gets seed + i) or ``[N]``.
        softness: see `canvas`.

    Returns:
        ``[N, 3, size, size]`` in [-1, 1].

    Raises:
        UserError: for an unknown domain or size, or factors out of range.
    """
    check_domain(source), check_domain(target), check_size(size), check_factors(factors)
    n = len(factors)
    share = torch.as_tensor(share, dtype=factors.dtype, device=factors.device).expand(n)
    seeds = seeds_of(seed, n, factors.device)
    if n == 0:
        return factors.new_zeros(0, 3, size, size)
    return torch.cat([_draw(factors[k], source, target, share[k], size, seeds[k], softness) for k in chunks(n, size)])


def render(factors: Tensor, domain="photo", size: int = 64, seed=0, softness: float = 0.0) -> Tensor:
    """Portraits in one domain, or in one domain each.

    Args:
        factors: ``[N, F]`` in [0, 1].
        domain: a name, or a sequence of N names.
        size, seed, softness: see `blend`.

    Returns:
        ``[N, 3, size, size]`` in [-1, 1]. A portrait does not depend on the others of its batch.

    Raises:
        UserError: see `blend`, and if there are neither one nor N domains.
    """
    if isinstance(domain, str):
        return blend(factors, domain, domain, 0.0, size, seed, softness)
    names = list(domain)
    if len(names) != len(factors):
        raise UserError(f"{len(factors)} portraits need one domain or {len(factors)}; got {len(names)}")
    seeds = seeds_of(seed, len(factors), factors.device)
    out = factors.new_zeros(len(factors), 3, size, size)
    for name in dict.fromkeys(names):
        rows = torch.tensor([i for i, other in enumerate(names) if other == name], device=factors.device)
        out = out.index_copy(0, rows, render(factors[rows], name, size, seeds[rows], softness))
    return out


__all__ = ["DOMAINS", "blend", "canvas", "render"]
