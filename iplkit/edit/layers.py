"""Edits by rows of W+: take rows from another person, or move one group of rows along a direction.

Row i of W+ drives convolution i (see `iplkit.stylegan2.styles.row_table`). Early rows work on coarse grids, late rows on
fine ones. Karras et al. 2019, Sec. 3.1, "Style mixing".

Axis letters: N images, R rows of W+ (num_ws), D width (512), F factors.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.latents import add_to_rows, row_groups


def rows_of(num_ws: int, group: str) -> range:
    """The rows that a group's name stands for.

    Raises:
        UserError: if no group has that name.
    """
    groups = row_groups(num_ws)
    if group not in groups:
        raise UserError(f"a row group is one of {', '.join(groups)}; got {group!r}")
    return groups[group]


def check_rows(rows: Iterable[int], num_ws: int) -> list[int]:
    """Rows in order, each once.

    Raises:
        UserError: if a row does not exist.
    """
    rows = sorted(set(rows))
    if rows and not (0 <= rows[0] and rows[-1] < num_ws):
        raise UserError(f"rows must lie in 0 to {num_ws - 1}; got {rows}")
    return rows


def take_rows(ws: Tensor, donor: Tensor, rows: Iterable[int]) -> Tensor:
    """Replace some rows by those of another code; `ws` and `donor` stay as they are.

    Args:
        ws: who receives, ``[N, R, D]``.
        donor: who gives, same shape.
        rows: which rows.

    Returns:
        ``[N, R, D]``.

    Raises:
        UserError: if the shapes differ or a row does not exist.
    """
    _check_pair(ws, donor)
    rows = check_rows(rows, ws.shape[1])
    taken = ws.clone()
    taken[:, rows] = donor[:, rows]
    return taken


def take_each_row(ws: Tensor, donor: Tensor) -> Tensor:
    """One code for each row that could be replaced, ``[N, R, D]`` twice -> ``[R, N, R, D]``."""
    return torch.stack([take_rows(ws, donor, [row]) for row in range(ws.shape[1])])


def move_groups(ws: Tensor, direction: Tensor, strengths: Mapping[str, float]) -> Tensor:
    """Move each group of rows along one direction by its own strength.

    Args:
        ws: ``[N, R, D]``.
        direction: ``[D]``.
        strengths: group -> steps of one direction length; a group that is not named stays.

    Raises:
        UserError: if a group is unknown, or the direction has another width.
    """
    for group, strength in strengths.items():
        ws = add_to_rows(ws, direction, rows_of(ws.shape[1], group), strength)
    return ws


def row_effects(before: Tensor, after: Tensor, donor: Tensor) -> Tensor:
    """How much of the way to the donor each replaced row goes, factor by factor.

    Args:
        before: estimated factors of the receivers, ``[N, F]``.
        after: the same after one row was replaced, ``[R, N, F]``.
        donor: those of the donors, ``[N, F]``: what replacing all rows gives.

    Returns:
        Mean distance moved divided by the mean distance to the donor, ``[R, F]``: 0 the row does nothing to the
        factor, 1 it moves it as far as all rows together. Rows need not sum to 1.

    Raises:
        UserError: if the shapes do not agree, or a factor is the same in all receivers and donors.
    """
    if before.ndim != 2 or donor.shape != before.shape or after.shape[1:] != before.shape:
        raise UserError(
            f"row_effects needs [N, F], [R, N, F], [N, F]; got {tuple(before.shape)}, {tuple(after.shape)}, {tuple(donor.shape)}"
        )
    whole = (donor - before).abs().mean(dim=0)  # [F]
    if not bool((whole > 0).all()):
        raise UserError(f"row_effects needs factors that differ between people; {int((whole <= 0).sum())} of {len(whole)} do not")
    return (after - before).abs().mean(dim=1) / whole  # [R, F]


def _check_pair(ws: Tensor, donor: Tensor) -> None:
    if ws.ndim != 3 or ws.shape != donor.shape:
        raise UserError(f"two codes [N, R, D] of one shape are needed; got {tuple(ws.shape)} and {tuple(donor.shape)}")
