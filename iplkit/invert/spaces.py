"""Where a picture is searched for: Z, W, W+ or S. What is free in each, and which styles it gives.

Abdal et al. 2019, "Image2StyleGAN", Sec. 3 compares Z, W and W+; S is the scales themselves (Wu et al. 2021, "StyleSpace").

Axis letters: N images, R rows of W+ (num_ws), D width of w.
"""

import torch
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.errors import UserError

SPACES = ("z", "w", "w+", "s")
STARTS = ("mean", "zeros", "uniform")
CANDIDATES = 1000  # codes among which a start near the middle is looked for in Z, where the middle itself does not lie


def begin(space: str, start: str | Tensor, generator: nn.Module, n: int, seed: int = 0, first: int = 0) -> dict[str, Tensor]:
    """The free numbers of a space at the start.

    "mean" is the middle of W. In Z it is the drawn code whose w is nearest to it. "uniform" draws each number from
    [-1, 1], a point that no w is near; in S it is the styles of such a point.

    Args:
        space: one of `SPACES`.
        start: one of `STARTS`, or ws ``[n, R, D]``; W takes the mean of their rows.
        generator: the one that shall draw.
        n: pictures.
        seed: of the draws. Picture i gets the same draw in any company.
        first: number of the first of these pictures.

    Returns:
        "z" ``[n, Z]``, or "w" ``[n, D]``, or "ws" ``[n, R, D]``, or each layer's style ``[n, C]``.

    Raises:
        UserError: unknown space or start; ws of another shape; Z from ws, or from zeros.
    """
    if space not in SPACES:
        raise UserError(f"a space is one of {', '.join(SPACES)}; got {space!r}")
    if space == "z":
        return {"z": _begin_z(start, generator, n, seed, first)}
    ws = _begin_ws(start, generator, n, 1 if space == "w" else generator.num_ws, seed, first)
    if space == "w":
        return {"w": ws.mean(dim=1)}
    if space == "w+":
        return {"ws": ws.expand(-1, generator.num_ws, -1).clone()}
    with torch.no_grad():
        return generator.synthesis.styles(ws.expand(-1, generator.num_ws, -1))


def _uniform(shape: tuple[int, ...], n: int, seed: int, first: int, like: Tensor) -> Tensor:
    """One draw a picture, ``[n, *shape]``."""
    return torch.stack([torch.rand(shape, generator=draw(seed, "uniform start", first + i)) for i in range(n)]).to(like) * 2 - 1


def _begin_z(start: str | Tensor, generator: nn.Module, n: int, seed: int, first: int) -> Tensor:
    width, like = generator.mapping.z_dim, generator.mapping.w_avg
    if start == "uniform":
        return _uniform((width,), n, seed, first, like)
    if start != "mean":
        what = "codes" if isinstance(start, Tensor) else repr(start)
        raise UserError(f"a search in Z needs the start mean or uniform, since no other point of Z is known; got {what}")
    z = torch.randn(CANDIDATES, width, generator=draw(seed, "start in Z")).to(like)
    with torch.no_grad():
        return z[(generator.mapping.w(z) - like).square().sum(1).argmin()].expand(n, -1).clone()


def _begin_ws(start: str | Tensor, generator: nn.Module, n: int, rows: int, seed: int, first: int) -> Tensor:
    """``[n, 1 or R, D]``."""
    middle = generator.mapping.w_avg
    shape = (n, generator.num_ws, len(middle))
    if isinstance(start, Tensor):
        if start.shape != shape or not bool(start.isfinite().all()):
            raise UserError(f"a start needs finite ws of shape {list(shape)}; got {list(start.shape)}")
        return start.detach().to(middle).clone()
    if start == "mean":
        return middle.expand(n, 1, -1).clone()
    if start == "zeros":
        return middle.new_zeros(n, 1, len(middle))
    if start == "uniform":
        return _uniform((rows, len(middle)), n, seed, first, middle)
    raise UserError(f"a start is one of {', '.join(STARTS)}, or ws of shape {list(shape)}; got {start!r}")


def ws_of(free: dict[str, Tensor], generator: nn.Module) -> Tensor | None:
    """The rows of W+ that the free numbers stand for, ``[N, R, D]``; None in S."""
    if "z" in free:
        return generator.mapping(free["z"])
    if "w" in free:
        return free["w"][:, None].expand(-1, generator.num_ws, -1)
    return free.get("ws")


def styles_of(free: dict[str, Tensor], generator: nn.Module) -> dict[str, Tensor]:
    """The styles that the free numbers stand for; gradients pass."""
    ws = ws_of(free, generator)
    return dict(free) if ws is None else generator.synthesis.styles(ws)
