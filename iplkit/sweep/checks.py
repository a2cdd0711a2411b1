"""Do printed cells still stand? Damaged and contradicted ones are wrong, those of other weights are aged."""

import json
from pathlib import Path

from iplkit.errors import UserError
from iplkit.sweep.cells import KEYS, Cell, read_cell

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
    old, wrong = read_folder(printed)
    fresh, _ = read_folder(again)
    aged = [f"{path.name}: {', '.join(names)} changed since; delete it and run iplkit sweep" for path, record in old.items() if (names := _other_weights(record, shipped))]
    by_key = {_key(record): record for record in old.values() if not _other_weights(record, shipped)}
    comparable = []
    for record in fresh.values():
        if (twin := by_key.get(_key(record))) is None or _other_weights(record, shipped):
            continue
        if other := [name for name in SAME if record.get(name) != twin.get(name)]:
            wrong.append(f"{twin['name']}.json: was printed with other {' and '.join(other)} than the code has now; undo the change, or delete it and run iplkit sweep")
        else:
            comparable.append(record)
    return wrong + contradictions(list(by_key.values()), comparable), aged


def contradictions(printed: list[dict], again: list[dict]) -> list[str]:
    """Numbers of recomputed cells that do not fit the printed seeds, in sentences."""
    scores = {_key(record): record["scores"] for record in printed}
    if all(scores.get(_key(record)) == record["scores"] for record in again):
        return []  # what is the same is inside by definition, and needs no statistics
    from iplkit.sweep.prediction import compare_cells, family_level
    from iplkit.sweep.summary import LEVEL

    numbers = sum(len(record["scores"]) for record in again)
    found = compare_cells(_table(printed), _table(again), family_level(LEVEL, numbers))
    outside = found[found["inside"].eq(False)]
    return [
        f"{Cell(row.method, row.target, row.seed).name}.json: {row.score} came out as {row.again:.4g}, outside {row.low:.4g} to {row.high:.4g}, "
        f"where {row.n} printed seed{'s' * (row.n != 1)} put it; look for what differs here, a version or a machine, and print no table from it"
        for row in outside.itertuples()
    ]


def read_folder(folder: Path) -> tuple[dict[Path, dict], list[str]]:
    """The cells of a folder that can be read, and sentences about the others."""
    found, wrong = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            found[path] = read_cell(path)
        except UserError as error:
            wrong.append(f"{path.name}: {error}; restore it")
            continue
        if found[path].get("name") != path.stem:
            wrong.append(f"{path.name}: is the cell {found[path].get('name')}; give it its name back")
    return found, wrong


def _key(record: dict) -> str:
    return json.dumps([record[key] for key in KEYS])


def _other_weights(record: dict, shipped: dict[str, str]) -> list[str]:
    return [name for name, digest in record.get("inputs", {}).items() if name in shipped and shipped[name] != digest]


def _table(records: list[dict]):
    import pandas as pd

    return pd.DataFrame([{key: record[key] for key in KEYS} | record["scores"] for record in records])
