"""Numbers as text."""

import math


def format_number(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits and no exponent between 0.001 and 1,000,000."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(digits - 1 - math.floor(math.log10(abs(value))), 0)}f}"
