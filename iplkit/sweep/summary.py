"""What the cells of many seeds say together: means, paired differences of two methods, and who wins where.

Pure functions of tables as `iplkit.sweep.cells.read_cells` returns them: one row a cell, one column a score. Two methods
of one seed share latents, noise and the order of their steps, so they are compared seed by seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from iplkit.compare import Estimate
from iplkit.errors import UserError
from iplkit.sweep.cells import KEYS

LEVEL = 0.95
# Which way a score is better: "high", "low", or "true": the nearer to what true renders score, the better. A score that
# is not named has no better: edges and faces (SCS, ID) shall change with the style, and nobody can say how much.
BETTER = {
    "IS": "high", "FID": "low", "SIFID": "low", "called": "high", "none": "low", "precision": "high", "recall": "high",
    "density": "true", "coverage": "high", "LPIPS ratio": "true", "oracle target FID": "low", "oracle pixel distance": "low",
    "oracle feature distance": "low", "oracle identity kept": "true", "oracle circumstance kept": "true",
    "oracle structure kept": "true", "oracle factor error": "true", "oracle diversity": "true",
}  # fmt: skip
WORDS = ("better", "worse", "undecided")


@dataclass(frozen=True)
class Interval:
    """A mean over n values, their standard deviation, and half the width of the mean's interval; nan where n is too small."""

    value: float
    spread: float
    half: float
    n: int

    low = property(lambda self: self.value - self.half)
    high = property(lambda self: self.value + self.half)

    def __str__(self) -> str:
        """The mean and half its interval; the mean alone where there is no interval; a dash where there is nothing."""
        if math.isnan(self.value):
            return "\N{EN DASH}"
        return str(Estimate(self.value, 0.0 if math.isnan(self.half) else self.half)).replace("-", "\N{MINUS SIGN}")


@cache
def t_quantile(n: int, level: float = LEVEL) -> float:
    """Two-sided quantile of Student's t for n values; nan below 2."""
    if not 0 < level < 1:
        raise UserError(f"level must lie between 0 and 1; got {level}")
    return float(stats.t.ppf((1 + level) / 2, n - 1)) if n > 1 else math.nan


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean and Student's interval of it: mean +- t s / sqrt(n).

    Args:
        values: independent repetitions, for example one a seed; missing ones (nan) do not count.
        level: of the interval.

    Raises:
        UserError: a level outside (0, 1).
    """
    found = _numbers(values)
    n, t = len(found), t_quantile(len(found), level)
    spread = float(found.std(ddof=1)) if n > 1 else math.nan
    return Interval(float(found.mean()) if n else math.nan, spread, t * spread / math.sqrt(n) if n else math.nan, n)


def of(cells: pd.DataFrame, method: str, variant: str = "") -> pd.DataFrame:
    """The cells of one method, without changed settings unless a variant is named."""
    return cells[(cells["method"] == method) & (cells["variant"] == variant)]


def scores_of(cells: pd.DataFrame) -> list[str]:
    """Names of the scores, in the order of the columns."""
    return [name for name in cells.columns if name not in KEYS]


def means(cells: pd.DataFrame, method: str, score: str, targets: Sequence[str] | None = None, level: float = LEVEL) -> dict[str, Interval]:
    """One `Interval` over seeds for each target; a target without a cell has n = 0.

    Args:
        cells: the table.
        method, score: which.
        targets: which, in this order; None takes those that have cells.
        level: of the intervals.
    """
    mine = of(cells, method)
    wanted = list(mine["target"].drop_duplicates()) if targets is None else targets
    values = {target: mine.loc[mine["target"] == target, score] if score in mine else [] for target in wanted}
    return {target: mean_interval(found, level) for target, found in values.items()}


def gain(values: pd.Series, score: str, truth: float | None = None) -> pd.Series | None:
    """The score turned so that more is better; None where nothing is better.

    Args:
        values: of one score.
        score: its name, in `BETTER` or not.
        truth: what true renders score; needed by the scores that should come near it.
    """
    way = BETTER.get(score)
    if way is None or (way == "true" and (truth is None or math.isnan(truth))):
        return None
    return values if way == "high" else -values if way == "low" else -(values - truth).abs()


def paired(cells: pd.DataFrame, a: str, b: str, score: str, truths: pd.DataFrame | None = None, level: float = LEVEL) -> pd.DataFrame:
    """What method a has more than method b, target by target, over the seeds that both have.

    Args:
        cells: the table.
        a, b: two methods.
        score: which.
        truths: what true renders score, one row a target, as `iplkit.sweep.cells.read_truths` gives it.
        level: of the intervals.

    Returns:
        One row for each target that both have: "target", "n" (shared seeds), "a", "b" (means over them), "difference"
        (a minus b), "low", "high" (Student's interval of it; nan for one seed), "gain" (the mean difference turned so
        that more is better for a; nan where nothing is better) and "verdict": "better", "worse" or "undecided" for a,
        "" where nothing is better. Undecided means: the interval of the gain holds 0, or there is one seed only.

    Raises:
        UserError: two methods of one name, or two cells of one method, target and seed.
    """
    if a == b:
        raise UserError(f"a difference needs two methods; both are {a!r}")
    both = pd.concat([_column(cells, a, score).rename("a"), _column(cells, b, score).rename("b")], axis=1, join="inner").dropna()
    rows = []
    for target, found in both.groupby(level="target", sort=False):
        first, second = found["a"], found["b"]
        truth = float(truths.at[target, score]) if truths is not None and score in truths and target in truths.index else None
        difference, turned = mean_interval(first - second, level), [gain(x, score, truth) for x in (first, second)]
        better = mean_interval(turned[0] - turned[1], level) if turned[0] is not None else None
        row = {"target": target, "n": difference.n, "a": first.mean(), "b": second.mean(), "difference": difference.value}
        row |= {"low": difference.low, "high": difference.high, "gain": better.value if better else math.nan}
        rows.append(row | {"verdict": verdict(better) if better else ""})
    return pd.DataFrame(rows, columns=["target", "n", "a", "b", "difference", "low", "high", "gain", "verdict"])


def verdict(better: Interval) -> str:
    """What an interval of a gain says."""
    if math.isnan(better.half) or better.low <= 0 <= better.high:
        return "undecided"
    return "better" if better.value > 0 else "worse"


def counts(table: pd.DataFrame) -> dict[str, int]:
    """How many targets of a `paired` table are better, worse and undecided, and how many there are; only those with a verdict."""
    told = table.loc[table["verdict"] != "", "verdict"]
    return {word: int((told == word).sum()) for word in WORDS} | {"targets": len(told)}


@dataclass(frozen=True)
class Overall:
    """Two methods over all targets: the mean difference, and two tests that it is as often up as down."""

    difference: Interval  # mean and Student's interval over targets
    up: int  # targets where it is above 0
    down: int
    sign_p: float  # sign test, two-sided
    wilcoxon_p: float  # Wilcoxon's signed ranks, two-sided


def overall(table: pd.DataFrame, column: str = "difference", level: float = LEVEL) -> Overall:
    """Each target counts once, whatever its number of seeds. Targets that do not differ are left out of the tests.

    The interval speaks of targets like these, not of these only: so it is wider than seeds alone would make it.

    Args:
        table: from `paired`.
        column: "difference" or "gain".
        level: of the interval.
    """
    found = _numbers(table[column])
    moved = found[found != 0]
    up = int((moved > 0).sum())
    sign = float(stats.binomtest(up, len(moved)).pvalue) if len(moved) else math.nan
    ranked = float(stats.wilcoxon(moved, method="exact" if _untied(moved) else "approx").pvalue) if len(moved) else math.nan
    return Overall(mean_interval(found, level), up, len(moved) - up, sign, ranked)


def _untied(values: np.ndarray) -> bool:
    return len(values) <= 50 and len(np.unique(np.abs(values))) == len(values)


def _column(cells: pd.DataFrame, method: str, score: str) -> pd.Series:
    """One column, indexed by target and seed, in the order of the cells."""
    mine = of(cells, method)
    if mine.duplicated(["target", "seed"]).any():
        raise UserError(f"a method needs one cell a target and seed; {method} has two of one")
    values = mine[score] if score in mine else pd.Series(np.nan, mine.index)
    return pd.Series(values.to_numpy(float), pd.MultiIndex.from_frame(mine[["target", "seed"]]))


def _numbers(values: Sequence[float]) -> np.ndarray:
    found = np.asarray(list(values), dtype=float)
    return found[~np.isnan(found)]
