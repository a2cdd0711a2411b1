"""A stored table is three times the same: numbers for machines, a page's text, and the numbers of its record."""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from iplkit.numbers import format_number

CLOSE = 1e-5  # relative; a record holds six digits
DIGITS = range(1, 9)  # significant digits that a table may be printed with


def table_disagreements(path: Path, record: dict) -> Iterator[str]:
    """How the files of one table disagree with each other, in sentences without an end.

    Args:
        path: of the record; nothing is said about a figure.
    """
    full, shown = path.with_suffix(".csv"), path.with_suffix(".md")
    if {full.name, shown.name} <= set(record["files"]):
        rows, printed = read_csv(full), read_markdown(shown)
        yield from _print_differs(rows, printed, full.name, shown.name)
        yield from _numbers_differ(rows, record["numbers"], full.name)


def read_csv(path: Path) -> list[list[str]]:
    """A CSV as text, the head first."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def read_markdown(path: Path) -> list[list[str]]:
    """A pipe table as text, the head first; the line below it is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return rows[:1] + rows[2:]


def is_print_of(stored: str, printed: str) -> bool:
    """Whether a cell of the printed table can come from a cell of the CSV."""
    words = {"": ("–", ""), "True": ("yes", "True"), "False": ("no", "False")}
    if printed == stored or printed == stored.strip() or printed in words.get(stored, ()):
        return True
    value = _number(stored)
    return value is not None and any(printed == format_number(value, digits) for digits in DIGITS)


def _print_differs(rows: list[list[str]], printed: list[list[str]], full: str, shown: str) -> Iterator[str]:
    if [len(row) for row in rows] != [len(row) for row in printed]:
        yield f"{shown} has other rows or columns than {full}"
        return
    for row, line in zip(rows, printed, strict=True):
        for stored, text in zip(row, line, strict=True):
            if not is_print_of(stored, text):
                yield f"{shown} prints {text!r} where {full} holds {stored!r}"


def _numbers_differ(rows: list[list[str]], numbers: dict, full: str) -> Iterator[str]:
    """Numbers recorded as {row: {column: value}}, which is how they are recorded unless a notebook names them otherwise."""
    head, *body = rows
    for row in body:
        recorded = numbers.get(row[0])
        for column, stored in zip(head[1:], row[1:], strict=True):
            value = recorded.get(column) if isinstance(recorded, dict) else None
            found = _number(stored)
            if isinstance(value, int | float) and not isinstance(value, bool) and found is not None and not math.isclose(value, found, rel_tol=CLOSE, abs_tol=1e-12):
                yield f"holds {value:g} for {column!r} of {row[0]!r}, where {full} holds {found:g}"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
