"""Does a cell that was computed again fit the printed ones? Prediction intervals over seeds.

The next seed lies in mean +- t s sqrt(1 + 1/n) of n seeds before it, with the chance that t stands for. With thirty
numbers at 95 % one or two fall outside by chance alone; so whoever calls a number wrong divides the chance among all
(Bonferroni, `family_level`).
"""

import math
from collections.abc import Sequence

import pandas as pd

from iplkit.errors import UserError
from iplkit.sweep.cells import SOURCE
from iplkit.sweep.summary import LEVEL, mean_interval, of, scores_of, t_quantile

LEAST_SPREAD = 0.001  # of the mean, or of 1 where that is less: seeds that agree to more digits say nothing of another machine
TOLERANCE = 0.05  # relative; of scores of the source, which hang on no seed
DIGITS = 1e-5  # relative; stored numbers have six digits


def prediction(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Where the next value lies: mean +- t s sqrt(1 + 1/n); (nan, nan) for fewer than two values.

    A spread below `LEAST_SPREAD` is taken as that.

    Raises:
        UserError: a level outside (0, 1).
    """
    found = mean_interval(values, level)
    if found.n < 2:
        return math.nan, math.nan
    spread = max(found.spread, LEAST_SPREAD * max(1.0, abs(found.value)))
    half = t_quantile(found.n, level) * spread * math.sqrt(1 + 1 / found.n)
    return found.value - half, found.value + half


def family_level(level: float, n: int) -> float:
    """The level of each of n intervals, so that all hold together with at least `level` (Bonferroni)."""
    if n < 1:
        raise UserError(f"a family needs at least one interval; got {n}")
    return 1 - (1 - level) / n


def same(x: float, y: float) -> bool:
    """Equal but for the rounding of stored numbers."""
    return x == y or abs(x - y) <= DIGITS * max(abs(x), abs(y))


def compare_cells(printed: pd.DataFrame, again: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Each score of each cell that was computed again, beside the printed seeds of its method and target.

    Args:
        printed, again: tables of `iplkit.sweep.cells.read_cells`.
        level: of the prediction intervals.

    Returns:
        Columns "method", "target", "seed", "score", "n" (printed seeds), "mean", "low", "high", "again", "same" (as
        printed for this very seed) and "inside": True, False, or None where one printed seed or none cannot tell. What
        is the same is always inside. Scores of the source hang on no seed: they lie within `TOLERANCE` of the printed.
    """
    rows = []
    for cell in again.to_dict("records"):
        old = of(printed, cell["method"], cell["variant"])
        old = old[old["target"] == cell["target"]]
        for score in scores_of(again):
            if not math.isnan(value := _float(cell[score])) and score in old:
                row = {key: cell[key] for key in ("method", "target", "seed")} | {"score": score}
                rows.append(row | _fits(value, old[score], old.loc[old["seed"] == cell["seed"], score], level, cell["method"] == SOURCE))
    columns = ["method", "target", "seed", "score", "n", "mean", "low", "high", "again", "same", "inside"]
    return pd.DataFrame(rows, columns=columns).astype({"inside": object})


def _fits(value: float, old: pd.Series, own: pd.Series, level: float, fixed: bool) -> dict:
    values = [_float(x) for x in old]
    found, (low, high) = mean_interval(values), prediction(values, level)
    if fixed and found.n == 1:
        room = TOLERANCE * max(abs(found.value), LEAST_SPREAD)
        low, high = found.value - room, found.value + room
    equal = any(same(value, _float(x)) for x in own)
    inside = True if equal else None if math.isnan(low) else bool(low <= value <= high)
    return {"n": found.n, "mean": found.value, "low": low, "high": high, "again": value, "same": equal, "inside": inside}


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
