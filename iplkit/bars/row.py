"""One line of the table of bars: what was measured, how sure it is, and what was asked for."""

import math
from dataclasses import asdict, dataclass

from iplkit.errors import UserError
from iplkit.metrics.oracle import wilson_interval

BARS = ("W1", "W3", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "FIT")
"""What one command measures. W2 is a speed and belongs to bench/, where nothing is compared byte by byte."""


@dataclass(frozen=True)
class Row:
    """A measured quantity. Without `asked` it is printed for information."""

    bar: str
    quantity: str
    value: float
    low: float | None  # 95 % interval, where one run gives it
    high: float | None
    asked: str  # ">= 0.98", "<= 0.05", or ""
    met: bool | None
    n: int
    note: str = ""

    def to_json(self) -> dict:
        """Plain numbers and words."""
        return asdict(self)


def meets(value: float, asked: str) -> bool | None:
    """Whether a value clears a bar such as ">= 0.98"; None without a bar, and no value that is not a number does."""
    if not asked:
        return None
    sign, bound = asked.split()
    if sign not in (">=", "<="):
        raise UserError(f"a bar is '>= number' or '<= number'; got {asked!r}")
    if not math.isfinite(value):
        return False
    return value >= float(bound) if sign == ">=" else value <= float(bound)


def rate_row(bar: str, quantity: str, hits: int, n: int, asked: str = "", note: str = "") -> Row:
    """A rate with its Wilson interval."""
    low, high = wilson_interval(hits, n)
    return Row(bar, quantity, hits / n, low, high, asked, meets(hits / n, asked), n, note)


def value_row(bar: str, quantity: str, value: float, n: int, asked: str = "", spread: float | None = None, note: str = "") -> Row:
    """A value, with plus and minus 1.96 standard errors where `spread` is one."""
    low, high = (None, None) if spread is None else (value - 1.959964 * spread, value + 1.959964 * spread)
    return Row(bar, quantity, float(value), low, high, asked, meets(value, asked), n, note)
