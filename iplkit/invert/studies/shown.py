"""The rows of a finding as a page shows them: a table of means with their intervals, and numbers that text can quote."""

import pandas as pd

from iplkit.findings import Finding
from iplkit.sweep.summary import Interval

EXACT = 1e-5  # half an interval below it is rounding, and not printed
NOTHING = 1e-3  # and so is such a mean, which is printed as 0


def table_of(finding: Finding, columns: dict[str, str], **words) -> pd.DataFrame:
    """Some columns of a finding, each mean with half of its interval.

    Args:
        finding: from `iplkit.findings.read_finding` or `run_study`.
        columns: key of a row -> head of the column, in order.
        words: only rows that hold these.
    """
    rows = [row for row in finding.rows if all(row.get(key) == value for key, value in words.items())]
    return pd.DataFrame([{head: _cell(row.get(key)) for key, head in columns.items()} for row in rows])


def numbers_of(finding: Finding, *keys: str) -> dict:
    """What text may quote: word -> ... -> column -> mean, and ``column half`` -> half of the interval.

    Args:
        finding: see `table_of`.
        keys: the columns of words that tell the rows apart; an empty word becomes "-".
    """
    found: dict = {"n": finding.about["n"], "steps": finding.about["steps"]}
    for row in finding.rows:
        place = found
        for key in keys:
            place = place.setdefault(str(row[key]) or "-", {})
        measured = {name: value for name, value in row.items() if isinstance(value, Interval)}
        place |= {name: value.value for name, value in measured.items()}
        place |= {f"{name} half": value.half for name, value in measured.items()}
    return found


def _cell(value) -> str:
    """A word as it is; a mean with its interval; a dash where there is nothing."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, Interval) and (value.half < EXACT or abs(value.value) + value.half < NOTHING):
        return f"{0.0 if abs(value.value) < NOTHING else value.value:.3g}"
    return str(value).replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
