"""Do printed cells still stand? Damaged and contradicted ones are wrong, those of other weights are aged."""

import json
from pathlib import Path

import pandas as pd

from iplkit.errors import UserError
from iplkit.sweep.cells import KEYS, read_cell
from iplkit.sweep.prediction import compare_cells, family_level
from iplkit.sweep.summary import LEVEL

SAME = ("reach", "settings")  # what must be equal before two cells can be compared


def check_cells(printed: Path, again: Path, shipped: dict[str, str]) -> tuple[list[str], list[str]]:
    """Check the printed cells, and those of a run against them.

    A run's number is wrong if it lies outside the prediction interval of the printed seeds, at a level divided among
    all numbers of the run (Bonferroni): of a run that is in order, one in twenty is called wrong.

    Args:
        printed: folder of the printed cells.
        again: folder of cells computed again.
        shipped: name of each weight -> its hash now.

    Returns:
        Sentences about what is wrong, and about what is aged; each begins with the cell's file.
    """
    old, wrong = _read(printed)
    fresh, more = _read(again)
    aged = [f"{path.name}: {', '.join(names)} changed since" for path, record in old.items() if (names := _other_weights(record, shipped))]
    by_key = {_key(record): record for record in old.values() if not _other_weights(record, shipped)}
    comparable = []
    for record in fresh.values():
        if (twin := by_key.get(_key(record))) is None or _other_weights(record, shipped):
            continue
        if other := [name for name in SAME if record.get(name) != twin.get(name)]:
            wrong.append(f"{twin['name']}.json: was printed with other {' and '.join(other)} than the code has now")
        else:
            comparable.append(record)
    return wrong + more + contradictions(list(by_key.values()), comparable), aged


def contradictions(printed: list[dict], again: list[dict], level: float = LEVEL) -> list[str]:
    """Numbers of recomputed cells that do not fit the printed seeds, in sentences."""
    numbers = sum(len(record["scores"]) for record in again)
    if not numbers:
        return []
    found = compare_cells(_table(printed), _table(again), family_level(level, numbers))
    outside = found[found["inside"].eq(False)]
    return [
        f"{row.method}-{row.target}-seed{row.seed}: {row.score} came out as {row.again:.4g}, "
        f"outside {row.low:.4g} to {row.high:.4g}, where {row.n} printed seed{'s' * (row.n != 1)} put it"
        for row in outside.itertuples()
    ]


def _read(folder: Path) -> tuple[dict[Path, dict], list[str]]:
    found, wrong = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            found[path] = read_cell(path)
        except UserError as error:
            wrong.append(f"{path.name}: {error}")
            continue
        if found[path].get("name") != path.stem:
            wrong.append(f"{path.name}: is the cell {found[path].get('name')}")
    return found, wrong


def _key(record: dict) -> str:
    return json.dumps([record[key] for key in KEYS])


def _other_weights(record: dict, shipped: dict[str, str]) -> list[str]:
    return [name for name, digest in record.get("inputs", {}).items() if name in shipped and shipped[name] != digest]


def _table(records: list[dict]) -> pd.DataFrame:
    return pd.DataFrame([{key: record[key] for key in KEYS} | record["scores"] for record in records])
