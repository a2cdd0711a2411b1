"""A cell of the thesis table: one method, one target domain, one seed, and what was changed; one small JSON file.

Cells of the full tier are printed: they lie in ``figures/full/cells/`` and are never overwritten. Other tiers write
into their run's folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iplkit import paths
from iplkit.errors import UserError

KEYS = ("method", "target", "seed", "variant")
SOURCE = "source"  # the "method" that changes nothing: what the source generator scores, and what true renders score


@dataclass(frozen=True)
class Cell:
    """Which run.

    Args:
        method: a name in `iplkit.adapt.METHODS`, or "source".
        target: word of the target domain.
        seed: of every draw of the adaptation.
        changes: settings that differ from the method's, "name=value", as `iplkit adapt --set` takes them.
        variant: a short name for the changes; empty if there are none.
    """

    method: str
    target: str
    seed: int = 0
    changes: tuple[str, ...] = ()
    variant: str = ""

    def __post_init__(self):
        if bool(self.changes) != bool(self.variant):
            raise UserError(f"a cell with changed settings needs a name for them; got {list(self.changes)} and {self.variant!r}")

    @property
    def name(self) -> str:
        """Its file's name without the ending: ``ipl-sketch-seed0``, or ``ipl-sketch-seed0-batch2``."""
        words = [paths.slug(self.method), paths.slug(self.target), f"seed{self.seed}", *([paths.slug(self.variant)] if self.variant else [])]
        return "-".join(words)


def cell_folder(tier: str = "full", profile: str = "world") -> Path:
    """Where cells of a tier lie."""
    if tier == "full" and profile == "world":
        return paths.root() / "figures" / "full" / "cells"
    return paths.run_folder(tier, profile) / "cells"


def manifest_path(name: str, tier: str = "laptop", profile: str = "world") -> Path:
    """The list of cells that the workflow writes when all of a plan are there."""
    return paths.run_folder(tier, profile) / f"cells-{paths.slug(name)}.json"


def cells_path(name: str, tier: str = "laptop") -> Path:
    """The folder of a plan's cells that the workflow computed; notebooks name the plan with a literal, so that it knows.

    Args:
        name: of the plan, see `iplkit.sweep.plans`. At the full tier the printed cells are meant, which it is a part of.
        tier: as usual.

    Raises:
        UserError: if they have not been computed yet; the sentence holds the command that does it.
    """
    if not manifest_path(name, tier).is_file():
        raise UserError(f"the cells of {name} are needed and not computed yet; compute them with: iplkit regenerate cells-{paths.slug(name)} --tier {tier}")
    return cell_folder(tier)


def read_cell(path: Path) -> dict:
    """The record of one cell.

    Raises:
        UserError: if the file is damaged or holds something else.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["kind"] != "cell" or not isinstance(record["scores"], dict) or not set(KEYS) <= set(record):
            raise KeyError("kind")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.name} needs to be the record of a cell; it is damaged or something else") from error
    return record


def read_records(folder: Path) -> list[dict]:
    """The records of all cells of a folder, in the order of their names.

    Raises:
        UserError: if one is damaged.
    """
    return [read_cell(path) for path in sorted(Path(folder).glob("*.json"))]


def read_cells(folder: Path) -> pd.DataFrame:
    """All cells of a folder, one row each.

    Returns:
        Columns "method", "target", "seed", "variant", and one for each score, nan where a cell has none; sorted. Empty
        where there is no cell.
    """
    return _table(folder, "scores")


def read_summaries(folder: Path) -> pd.DataFrame:
    """How the trainings began and ended, one row each: "first_loss", "last_moved" and so on, as products record them."""
    return _table(folder, "summary")


def read_truths(folder: Path) -> pd.DataFrame:
    """What true renders score, from the source's cells: one row a target, its index; one column a score."""
    found = {r["target"]: r["true renders"] for r in read_records(folder) if r["method"] == SOURCE}
    return pd.DataFrame.from_dict(found, orient="index", dtype=float).rename_axis("target")


def _table(folder: Path, part: str) -> pd.DataFrame:
    rows = [{key: record[key] for key in KEYS} | record[part] for record in read_records(folder) if part in record]
    table = pd.DataFrame(rows, columns=None if rows else KEYS)
    numbers = [name for name in table if name not in KEYS]
    table[numbers] = table[numbers].astype(float)
    return table.sort_values(["method", "variant", "target", "seed"], ignore_index=True)
