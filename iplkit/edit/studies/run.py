"""Every study of text edits by its name; running one, and keeping its numbers for the book.

\b
    python -m iplkit.edit.studies.run relevance_speed
    python -m iplkit.edit.studies.run by_text --n 20
"""

import json
import time
from importlib import import_module
from pathlib import Path

import click
import torch

from iplkit import zoo
from iplkit.edit.studies.bench import Bench
from iplkit.errors import UserError
from iplkit.invert.studies.lab import Finding
from iplkit.invert.studies.run import KINDS, _interval
from iplkit.paths import root
from iplkit.records import plain, write_json
from iplkit.sweep.summary import Interval

STUDIES = ("relevance_speed", "by_text", "three_ways")
WEIGHTS = ("generator", "clip", "identity", "judge", "styleclip")


def folder() -> Path:
    """Where the printed numbers lie."""
    return root() / "figures" / "full" / "edit"


def file_of(name: str, where: Path | None = None) -> Path:
    """The file of a study.

    Raises:
        UserError: if there is none of this name.
    """
    if name not in STUDIES:
        raise UserError(f"a study of text edits is one of {', '.join(STUDIES)}; got {name!r}")
    return (where or folder()) / f"{name.replace('_', '-')}.json"


def run_study(name: str, bench: Bench, where: Path | None = None) -> Finding:
    """Carry out a study and keep its rows; its time, which differs from run to run, lies beside them."""
    path, began = file_of(name, where), time.perf_counter()
    finding = getattr(import_module(f"iplkit.edit.studies.{name}"), name)(bench)
    write_json(path.with_suffix(".run.json"), {"seconds": round(time.perf_counter() - began, 1), "threads": torch.get_num_threads()})
    basis = {name: zoo.hashes().get(zoo.entry(name).file) for name in WEIGHTS}
    rows = [{key: {k: getattr(v, k) for k in KINDS} if isinstance(v, Interval) else v for key, v in row.items()} for row in finding.rows]
    write_json(path, plain({"study": name, "about": finding.about, "weights": basis, "rows": rows}))
    return finding


def read_study(name: str, where: Path | None = None) -> Finding:
    """A study that was kept.

    Raises:
        UserError: if there is none, with the command that makes it.
    """
    path = file_of(name, where)
    if not path.is_file():
        raise UserError(f"the numbers of {name} are needed and there are none; make them with: python -m iplkit.edit.studies.run {name}")
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [{key: _interval(value) if isinstance(value, dict) else value for key, value in row.items()} for row in kept["rows"]]
    return Finding(kept["study"], rows, kept["about"] | {"weights": kept["weights"]})


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--n", default=20, show_default=True, help="People a condition.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Another folder for the numbers.")
def main(names, n, threads, out) -> None:
    torch.set_num_threads(threads)
    try:
        for name in names or STUDIES:
            for row in run_study(name, Bench(n), out).rows:
                click.echo(f"{name}: " + " · ".join(f"{key} {value}" for key, value in row.items()))
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
