"""What long studies found: measured once by a command, kept in ``figures/full``, read by the notebooks ever after.

A finding is a table. Its file says on which weights it stands; what differs from run to run (seconds, threads) lies
beside it. `iplkit.shelves` says where.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.records import plain, write_json
from iplkit.shelves import SHELVES, finding_path
from iplkit.sweep.summary import Interval

KINDS = ("value", "spread", "half", "n")


@dataclass
class Finding:
    """The answer of a study.

    Args:
        study: its name.
        rows: one dict a line of the table: words for what was varied, `Interval` for what was measured.
        about: n, seed, steps and whatever else decides the numbers.
        pictures: label -> ``[k, 3, S, S]``, for a figure; not stored.
    """

    study: str
    rows: list[dict]
    about: dict
    pictures: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def row(self, **words) -> dict:
        """The one line with these words."""
        (found,) = [row for row in self.rows if all(row.get(key) == value for key, value in words.items())]
        return found


def timed(study: Callable[..., Finding], *given) -> Finding:
    """Carry out a study; its seconds are in the answer's `about`."""
    began = time.perf_counter()
    finding = study(*given)
    finding.about["seconds"] = round(time.perf_counter() - began, 1)
    return finding


def basis(models: tuple[str, ...]) -> dict[str, str | None]:
    """Name -> hash of the shipped weights that a measurement stands on."""
    return {name: zoo.hashes().get(zoo.entry(name).file) for name in models}


def write_finding(shelf: str, finding: Finding, where: Path | None = None) -> Path:
    """Keep the rows of a finding, whole or not at all; what differs from run to run goes beside them.

    Raises:
        UserError: as `finding_path`.
    """
    path, about = finding_path(shelf, finding.study, where), dict(finding.about)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".run.json"), {"seconds": about.pop("seconds", None), "threads": torch.get_num_threads()})
    rows = [{key: {k: getattr(value, k) for k in KINDS} if isinstance(value, Interval) else value for key, value in row.items()} for row in finding.rows]
    write_json(path, plain({"study": finding.study, "about": about, "weights": basis(SHELVES[shelf].weights), "rows": rows}))
    return path


def read_finding(shelf: str, name: str, where: Path | None = None) -> Finding:
    """A finding that was kept, without its pictures.

    Raises:
        UserError: as `finding_path`, and if nothing was kept, with the command that measures it.
    """
    path = finding_path(shelf, name, where)
    if not path.is_file():
        raise UserError(f"the numbers of {name} are needed and there are none; make them with: {SHELVES[shelf].command.format(name)}")
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [{key: _interval(value) if isinstance(value, dict) else value for key, value in row.items()} for row in kept["rows"]]
    return Finding(kept["study"], rows, kept["about"] | {"weights": kept["weights"]})


def _interval(stored: dict) -> Interval:
    nan = float("nan")
    return Interval(**{k: nan if stored[k] is None else stored[k] for k in KINDS})
