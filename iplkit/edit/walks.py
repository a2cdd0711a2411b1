"""Walks from a code of W+: the one of a student's lab report as it was, and two that stay where W is.

The report adds 0.03 times one draw of N(0, 1) to four rows of a generator of 512 pixels, fifty times over, and looks at the
frames 0, 15, 30 and 45. So frame k lies 0.03 k standard deviations of a *standard normal* away, in all 512 directions
alike. W has another shape: it is wide in few directions and flat in most. `inside` draws the offset with W's own
covariance and changes nothing else; `toward` goes to the rows of another person.

Axis letters: N people, R rows of W+, D width of w.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from iplkit.edit.layers import check_rows
from iplkit.edit.probes import Principal
from iplkit.errors import UserError
from iplkit.latents import lerp
from iplkit.stylegan2.tables import num_rows

STEP, STEPS, FRAMES = 0.03, 50, (0, 15, 30, 45)


def report_groups(size: int) -> tuple[range, ...]:
    """The four groups of rows: the report's at 512 pixels, four rows each, and those that end at the same shares of the rows elsewhere.

    Raises:
        UserError: for a size that no generator has.
    """
    ends = [int(quarter * num_rows(size) / 4 + 0.5) for quarter in range(5)]
    return tuple(range(start, stop) for start, stop in pairwise(ends))


def isotropic(people: int, rows: Sequence[int], width: int, rng: torch.Generator) -> Tensor:
    """The report's offset: independent standard normal numbers for each row, ``[N, rows, D]``."""
    return torch.randn(people, len(rows), width, generator=rng)


def inside(people: int, rows: Sequence[int], shape: Principal, rng: torch.Generator) -> Tensor:
    """An offset with the covariance of W, the same in all rows, ``[N, rows, D]``.

    Codes of W have equal rows, so an offset that differs from row to row would leave W even if each row stayed in it.
    """
    draws = torch.randn(people, len(shape.spreads), generator=rng).double()
    offset = (draws * shape.spreads) @ shape.directions
    return offset.to(torch.float32)[:, None].expand(-1, len(rows), -1)


def walked(ws: Tensor, rows: Sequence[int], offset: Tensor, steps: float, step: float = STEP) -> Tensor:
    """The code after so many steps along one offset; the other rows stay.

    Args:
        ws: ``[N, R, D]``.
        rows: which rows.
        offset: ``[N, len(rows), D]``.
        steps: how many; step by step or at once is the same.
        step: how far each.

    Raises:
        UserError: if a row does not exist, or there is not one offset a row.
    """
    rows = check_rows(rows, ws.shape[1])
    if offset.shape != (len(ws), len(rows), ws.shape[2]):
        raise UserError(f"an offset needs shape [{len(ws)}, {len(rows)}, {ws.shape[2]}]; got {tuple(offset.shape)}")
    moved = ws.clone()
    moved[:, rows] += steps * step * offset
    return moved


def toward(ws: Tensor, donor: Tensor, rows: Sequence[int], share: float) -> Tensor:
    """Rows on the straight way to another person's: share 0 leaves them, 1 takes them over."""
    rows = check_rows(rows, ws.shape[1])
    moved = ws.clone()
    moved[:, rows] = lerp(ws[:, rows], donor[:, rows], share)
    return moved


def share_inside(offset: Tensor, shape: Principal, share: float = 0.9) -> float:
    """How much of an offset's energy lies in the directions that hold `share` of the spread of W."""
    few = shape.directions[: shape.enough(share)]
    x = offset.double().reshape(-1, offset.shape[-1])
    return float((x @ few.T).square().sum() / x.square().sum())
