"""Carry out the studies of W, W+ and S, and keep their numbers for the book.

\b
    python -m iplkit.edit.latent_studies.run row_matrix
    python -m iplkit.edit.latent_studies.run --all

A file is written once and read ever after; it says which weights it stands on.
"""

import json
import time
from importlib import import_module
from pathlib import Path

import click
import torch

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.invert.studies.lab import Finding, Lab
from iplkit.invert.studies.run import KINDS
from iplkit.paths import root
from iplkit.records import plain, write_json
from iplkit.sweep.summary import Interval

PEOPLE = {"row_matrix": 500, "row_fit": 20, "lab_report": 64, "spaces": 1600, "directions": 20, "path_length": 250}
"""The studies, and how many people each needs for the numbers that are printed."""
WEIGHTS = ("generator", "judge", "identity")


def kept_at(name: str, where: Path | None = None) -> Path:
    """Where a study's numbers lie.

    Raises:
        UserError: if there is no study of this name.
    """
    if name not in PEOPLE:
        raise UserError(f"a study of latent spaces is one of {', '.join(PEOPLE)}; got {name!r}")
    return (where or root() / "figures" / "full" / "edit") / f"latent-{name.replace('_', '-')}.json"


def run_study(name: str, lab: Lab) -> Finding:
    """Carry out one; its time is in its `about`."""
    kept_at(name)
    began = time.perf_counter()
    module = "row_matrix" if name == "row_fit" else name
    finding = getattr(import_module(f"iplkit.edit.latent_studies.{module}"), name)(lab)
    finding.about["seconds"] = round(time.perf_counter() - began, 1)
    return finding


def write_study(finding: Finding, where: Path | None = None) -> Path:
    """Keep a finding; what differs from run to run goes beside it."""
    path, about = kept_at(finding.study, where), dict(finding.about)
    write_json(path.with_suffix(".run.json"), {"seconds": about.pop("seconds", None), "threads": torch.get_num_threads()})
    basis = {name: zoo.hashes().get(zoo.entry(name).file) for name in WEIGHTS}
    rows = [{key: {k: getattr(v, k) for k in KINDS} if isinstance(v, Interval) else v for key, v in row.items()} for row in finding.rows]
    write_json(path, plain({"study": finding.study, "about": about, "weights": basis, "rows": rows}))
    return path


def read_latent_study(name: str, where: Path | None = None) -> Finding:
    """A finding that was kept.

    Raises:
        UserError: if there is none, with the command that makes it.
    """
    path = kept_at(name, where)
    if not path.is_file():
        raise UserError(f"the numbers of {name} are needed and there are none; make them with: python -m iplkit.edit.latent_studies.run {name}")
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [{key: _interval(value) if isinstance(value, dict) else value for key, value in row.items()} for row in kept["rows"]]
    return Finding(kept["study"], rows, kept["about"] | {"weights": kept["weights"]})


def _interval(stored: dict) -> Interval:
    nan = float("nan")
    return Interval(**{k: nan if stored[k] is None else stored[k] for k in KINDS})


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--n", type=int, help="People; by default as many as the printed numbers need.")
@click.option("--seed", default=2024, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Another folder for the numbers.")
def main(names, every, n, seed, threads, out) -> None:
    torch.set_num_threads(threads)
    try:
        for name in PEOPLE if every else names:
            kept_at(name)
            finding = run_study(name, Lab(n or PEOPLE[name], 0, seed))
            click.echo(f"{name} · {finding.about['seconds']} s · {write_study(finding, out)}")
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
