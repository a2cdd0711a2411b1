"""Does a metric of diversity see a collapse? Sets whose order is known are the test that it has to pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.compare import MINUS, Estimate, intervals
from iplkit.errors import UserError

RIGHT, UNSURE, WRONG = "as it should", "not told apart", "wrong"


@dataclass(frozen=True)
class Order:
    """What a metric says of sets that should rise from the first to the last."""

    values: dict[str, Estimate]  # of each set
    steps: dict[str, Estimate]  # of each set minus the one before
    verdict: str  # `RIGHT`, `UNSURE` or `WRONG`


def verdict_of(steps: Sequence[Estimate]) -> str:
    """`WRONG` if a step goes surely down, `RIGHT` if all go surely up, and else `UNSURE`; sure is an interval without 0."""
    if any(step.high < 0 for step in steps):
        return WRONG
    return RIGHT if all(step.low > 0 for step in steps) else UNSURE


def order(measure: Callable[[str, Tensor], float], names: Sequence[str], n: int, rounds: int = 40, seed: int = 0) -> Order:
    """Whether a metric orders sets as it should, judged by differences of sets resampled together.

    Args:
        measure: name of a set and row numbers -> the metric of these rows; larger is more diverse.
        names: of the sets, from the least diverse to the most. Row i of each has the same latent.
        n: rows of each set.
        rounds, seed: of the resampling.

    Raises:
        UserError: fewer than 2 sets, or than 2 rounds.
    """
    if len(names) < 2:
        raise UserError(f"an order needs at least 2 sets; got {len(names)}")
    pairs = [(low, high) for low, high in zip(names, names[1:])]

    def numbers(rows: Tensor) -> dict[str, float]:
        found = {name: measure(name, rows) for name in names}
        return found | {high + MINUS + low: found[high] - found[low] for low, high in pairs}

    found = intervals(numbers, [n], rounds, seed)
    steps = {high + MINUS + low: found[high + MINUS + low] for low, high in pairs}
    return Order({name: found[name] for name in names}, steps, verdict_of(list(steps.values())))
