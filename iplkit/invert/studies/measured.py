"""What the long measurements of inversion found: written by `bench/bench_inversion.py` and `bench/bench_align.py`, printed by the book.

A row is one quantity: its value, the ends of its 95 % interval where it has one, n, and, where something was asked of it, what, and whether
it was met. The file says on which weights it stands.
"""

import json
from pathlib import Path

from iplkit.errors import UserError
from iplkit.findings import SHELVES, basis
from iplkit.paths import root
from iplkit.records import plain, write_json

BENCHES = ("inversion", "align")
WEIGHTS = SHELVES["inversion"].weights


def folder() -> Path:
    """Where they are kept."""
    return root() / "figures" / "full" / "inversion"


def measured_path(name: str) -> Path:
    """Where the rows of a measurement are kept.

    Raises:
        UserError: a name that is none of `BENCHES`.
    """
    if name not in BENCHES:
        raise UserError(f"a measurement is one of {', '.join(BENCHES)}; got {name!r}")
    return folder() / f"bench-{name}.json"


def write_measured(path: Path, rows: list[dict], about: dict) -> None:
    """Keep the rows of a measurement, whole or not at all."""
    write_json(path, plain({"about": about, "weights": basis(WEIGHTS), "rows": rows}))


def read_measured(name: str) -> dict:
    """What was kept: "about", "weights" and "rows".

    Raises:
        UserError: nothing was kept, with the command that measures it.
    """
    path = measured_path(name)
    if not path.is_file():
        raise UserError(f"the measurement {path.name} is needed and there is none; make it with: python bench/bench_{name}.py --out {path}")
    return json.loads(path.read_text(encoding="utf-8"))


def row_of(measured: dict, quantity: str) -> dict:
    """One row by its quantity.

    Raises:
        UserError: if it was not measured.
    """
    for row in measured["rows"]:
        if row["quantity"] == quantity:
            return row
    raise UserError(f"{quantity!r} was not measured; there are: {'; '.join(row['quantity'] for row in measured['rows'])}")
