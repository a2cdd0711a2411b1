"""Points in Z, W and W+: drawing them, mixing them, walking between them.

Axis letters: N images, R rows of W+ (num_ws), D width (512).
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from iplkit.errors import UserError


def z_from_seeds(seeds: Sequence[int], z_dim: int = 512) -> Tensor:
    """One latent code per seed, ``[N, z_dim]``; a seed gives the same person in any company."""
    draws = [torch.randn(z_dim, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(draws) if draws else torch.empty(0, z_dim)


def sample_z(n: int, generator: torch.Generator, z_dim: int = 512) -> Tensor:
    """Standard normal latent codes, ``[n, z_dim]``, on the generator's device."""
    return torch.randn(n, z_dim, generator=generator, device=generator.device)


def truncate(w: Tensor, w_avg: Tensor, psi: float) -> Tensor:
    """Pull towards the middle of W: 1 leaves `w`, 0 gives `w_avg`; ``[..., D]`` -> ``[..., D]``. Karras et al. 2019."""
    return w_avg + psi * (w - w_avg)


def mix(ws_a: Tensor, ws_b: Tensor, crossover: int) -> Tensor:
    """Style mixing: rows below `crossover` from a, the others from b, ``[N, R, D]`` each. Karras et al. 2019, Sec. 3.1.

    Raises:
        UserError: if the shapes differ or `crossover` is outside [0, R].
    """
    if ws_a.shape != ws_b.shape or ws_a.ndim != 3:
        raise UserError(f"mix needs two codes [N, R, D] of one shape; got {tuple(ws_a.shape)} and {tuple(ws_b.shape)}")
    if not 0 <= crossover <= ws_a.shape[1]:
        raise UserError(f"crossover must lie in 0 to {ws_a.shape[1]}; got {crossover}")
    return torch.cat([ws_a[:, :crossover], ws_b[:, crossover:]], dim=1)


def lerp(a: Tensor, b: Tensor, share: float | Tensor) -> Tensor:
    """The straight way from a (share 0) to b (share 1); right for W and W+."""
    return a + share * (b - a)


def slerp(a: Tensor, b: Tensor, share: float | Tensor) -> Tensor:
    """The way along the sphere from a (share 0) to b (share 1), ``[..., D]``; right for Z.

    Lengths go over evenly. Where a and b are parallel the straight way is taken. White 2016, "Sampling Generative
    Networks", Sec. 2.1.
    """
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    cosine = ((a / length_a) * (b / length_b)).sum(dim=-1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    straight = torch.sin(angle) < 1e-6
    safe = torch.where(straight, torch.ones_like(angle), angle)
    on_sphere = torch.sin((1 - share) * safe) * (a / length_a) + torch.sin(share * safe) * (b / length_b)
    on_sphere = on_sphere / torch.sin(safe) * lerp(length_a, length_b, share)
    return torch.where(straight, lerp(a, b, share), on_sphere)


def row_groups(num_ws: int) -> dict[str, range]:
    """The field's three groups of rows: "coarse" 0-3 (to 8 px), "middle" 4-7 (to 32 px), "fine" the rest.

    The borders are absolute, as in Karras et al. 2019, Sec. 3.1, so a small generator has few fine rows or none.
    """
    if num_ws < 1:
        raise UserError(f"num_ws needs to be at least 1; got {num_ws}")
    first, second = min(4, num_ws), min(8, num_ws)
    return {"coarse": range(0, first), "middle": range(first, second), "fine": range(second, num_ws)}


def add_to_rows(ws: Tensor, direction: Tensor, rows: Iterable[int], strength: float | Tensor) -> Tensor:
    """Move some rows of W+ along a direction; the other rows and `ws` itself stay as they are.

    Args:
        ws: ``[N, R, D]``.
        direction: ``[D]`` for all rows, or ``[R, D]`` with one direction a row.
        rows: which rows move.
        strength: steps of one direction length, a number or ``[N]``.

    Returns:
        ``[N, R, D]``.

    Raises:
        UserError: if a row does not exist or the direction has another shape.
    """
    n, num_ws, width = ws.shape
    rows = sorted(set(rows))
    if rows and not (0 <= rows[0] and rows[-1] < num_ws):
        raise UserError(f"rows must lie in 0 to {num_ws - 1}; got {rows}")
    if direction.shape not in {(width,), (num_ws, width)}:
        raise UserError(f"direction needs shape [{width}] or [{num_ws}, {width}]; got {tuple(direction.shape)}")
    mask = ws.new_zeros(num_ws, 1)
    mask[rows] = 1
    strength = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)  # [N or 1, 1, 1]
    return ws + strength * (mask * direction)
