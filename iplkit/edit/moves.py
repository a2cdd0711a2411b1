"""How far an edit moves each factor: as a share of the way to another person, or in the factor's own range; with intervals.

Axis letters: N people, R edits (for example one a row of W+), F factors.
"""

import torch
from torch import Tensor

from iplkit.edit.layers import row_effects
from iplkit.errors import UserError
from iplkit.sweep.summary import Interval, mean_interval, t_quantile


def moved_shares(before: Tensor, after: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
    """`iplkit.edit.layers.row_effects` with half the width of its 95 % interval, ``[R, F]`` twice.

    A ratio of two means over the same people: the interval is Student's of the ratio's linear part.

    Args:
        before, donor: estimated factors of receivers and donors, ``[N, F]``.
        after: those of the edited, ``[R, N, F]``.

    Raises:
        UserError: as `row_effects`, and for fewer than two people.
    """
    share = row_effects(before, after, donor)
    return share, _half((after - before).abs(), (donor - before).abs(), share)


def shares_of_the_way(before: Tensor, after: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
    """The same with signs: the slope of the move on the difference between the two people. A move to and fro cancels.

    Errors of whoever reads the factors do not make it larger, since they do not point to the other person.
    """
    row_effects(before, after, donor)  # for its sentences
    way, moves = (donor - before).double(), (after - before).double()
    share = (moves * way).mean(1) / way.square().mean(0)
    return share.float(), _half(moves * way, way.square(), share)


def _half(part: Tensor, whole: Tensor, share: Tensor) -> Tensor:
    """Half the interval of mean(part) / mean(whole), ``[R, N, F]``, ``[N, F]`` -> ``[R, F]``."""
    n = len(whole)
    if n < 2:
        raise UserError(f"an interval needs at least 2 people; got {n}")
    left = part.double() - share.double()[:, None] * whole.double()
    return (t_quantile(n) * left.std(1) / n**0.5 / whole.double().mean(0)).float()


def interval_of(value: Tensor, half: Tensor, n: int) -> Interval:
    """One entry of a matrix as tables hold it."""
    return Interval(float(value), float("nan"), float(half), n)


def moves_by_factor(before: Tensor, after: Tensor) -> list[Interval]:
    """Mean size of the move of each factor, in shares of its range, ``[N, F]`` twice."""
    return [mean_interval(column.tolist()) for column in (after - before).abs().double().unbind(1)]


def purity(moves: Tensor, asked: int) -> float:
    """Share of the asked factor in the sum of all factors' moves: 1 it moves alone, 0 not at all.

    Args:
        moves: mean moves of the factors with sign, each in units of its own spread, ``[F]``.
        asked: its column.
    """
    sizes = moves.abs()
    return float(sizes[asked] / sizes.sum().clamp_min(1e-12))


def largest(moves: Tensor) -> int:
    """The factor that moves most, ``[F]`` -> column."""
    return int(torch.argmax(moves.abs()))
