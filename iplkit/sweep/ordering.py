"""Do two scores put methods into the same order? Rank correlations whose intervals know that a domain is one thing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from iplkit.errors import UserError
from iplkit.metrics.auc import spearman

LEAST = 4  # points and groups; below this there is no interval


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation with its 95 % interval; nan where there are too few points."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """``0.71 (0.40 to 0.88)``; a dash where there is none."""
        if np.isnan(self.value):
            return "\N{EN DASH}"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})".replace("-", "\N{MINUS SIGN}")


def rank_correlation(x: Sequence[float], y: Sequence[float], groups: Sequence | None = None, rounds: int = 2000, seed: int = 0) -> Correlation:
    """Spearman's correlation of two scores over many cells.

    Cells of one domain belong together, so whole groups are drawn again, not cells.

    Args:
        x, y: ``[N]``; a pair with a missing number does not count.
        groups: N names; None makes each point its own group.
        rounds: resamples.
        seed: which.

    Returns:
        Value in [-1, 1], 0 where one side does not vary; percentile interval.

    Raises:
        UserError: rows of different length.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    names = np.asarray(range(len(x)) if groups is None else groups)
    if not len(x) == len(y) == len(names):
        raise UserError(f"a correlation needs rows of one length; got {len(x)}, {len(y)} and {len(names)}")
    whole = ~(np.isnan(x) | np.isnan(y))
    x, y, names = x[whole], y[whole], names[whole]
    members = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
    if len(members) < LEAST:
        return Correlation(np.nan, np.nan, np.nan, len(x))
    rng = np.random.default_rng(seed)
    draws = [np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))]) for _ in range(rounds)]
    first, second = torch.from_numpy(x), torch.from_numpy(y)
    low, high = np.percentile([spearman(first[rows], second[rows]).item() for rows in map(torch.from_numpy, draws)], [2.5, 97.5])
    return Correlation(spearman(first, second).item(), float(low), float(high), len(x))


def same_winner(first: pd.DataFrame, second: pd.DataFrame, column: str = "gain") -> tuple[int, int]:
    """In how many targets do two scores prefer the same method?

    Args:
        first, second: from `iplkit.sweep.summary.paired`, of the same two methods in the same order.
        column: whose sign is the preference.

    Returns:
        Agreeing targets, and all targets where both scores prefer one.
    """
    both = first.set_index("target")[column].to_frame("a").join(second.set_index("target")[column].to_frame("b"), how="inner").dropna()
    both = both[(both["a"] != 0) & (both["b"] != 0)]
    return int((np.sign(both["a"]) == np.sign(both["b"])).sum()), len(both)
