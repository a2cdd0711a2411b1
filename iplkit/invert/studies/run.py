"""Every study by its name; running one, and keeping its numbers for the book.

\b
    python -m iplkit.invert.studies.run which_space --n 24 --steps 200
    python -m iplkit.invert.studies.run --all

A file is written once and read ever after; it says which weights it stands on, and is measured again only where asked.
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
from iplkit.paths import root
from iplkit.records import plain, write_json
from iplkit.sweep.summary import Interval

STUDIES = (
    "which_space", "where_to_start", "moved_faces", "defects", "random_weights", "which_loss", "features_back", "morphing", "crossover",
    "expressions", "how_far_from_w",
)  # fmt: skip
WEIGHTS = ("generator", "critic", "encoder", "judge", "identity")
KINDS = ("value", "spread", "half", "n")


def folder() -> Path:
    """Where the printed numbers lie."""
    return root() / "figures" / "full" / "inversion"


def study(name: str):
    """The function of a study.

    Raises:
        UserError: if there is none of this name.
    """
    if name not in STUDIES:
        raise UserError(f"a study is one of {', '.join(STUDIES)}; got {name!r}")
    return getattr(import_module(f"iplkit.invert.studies.{name}"), name)


def run_study(name: str, lab: Lab) -> Finding:
    """Carry out a study; the pictures are in the answer, the time is in its `about`."""
    began = time.perf_counter()
    finding = study(name)(lab)
    finding.about["seconds"] = round(time.perf_counter() - began, 1)
    return finding


def write_finding(finding: Finding, where: Path | None = None) -> Path:
    """Keep the rows of a finding; what differs from run to run goes beside them."""
    path = (where or folder()) / f"{finding.study.replace('_', '-')}.json"
    about = dict(finding.about)
    write_json(path.with_suffix(".run.json"), {"seconds": about.pop("seconds", None), "threads": torch.get_num_threads()})
    basis = {name: zoo.hashes().get(zoo.entry(name).file) for name in WEIGHTS}
    rows = [{key: {k: getattr(value, k) for k in KINDS} if isinstance(value, Interval) else value for key, value in row.items()} for row in finding.rows]
    write_json(path, plain({"study": finding.study, "about": about, "weights": basis, "rows": rows}))
    return path


def read_finding(name: str, where: Path | None = None) -> Finding:
    """A finding that was kept, without its pictures.

    Raises:
        UserError: if there is none, with the command that makes it.
    """
    study(name)
    path = (where or folder()) / f"{name.replace('_', '-')}.json"
    if not path.is_file():
        raise UserError(f"the numbers of {name} are needed and there are none; make them with: python -m iplkit.invert.studies.run {name}")
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [{key: _interval(value) if isinstance(value, dict) else value for key, value in row.items()} for row in kept["rows"]]
    return Finding(kept["study"], rows, kept["about"] | {"weights": kept["weights"]})


def _interval(stored: dict) -> Interval:
    nan = float("nan")
    return Interval(**{k: nan if stored[k] is None else stored[k] for k in KINDS})


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--n", default=24, show_default=True, help="Pictures a condition.")
@click.option("--steps", default=200, show_default=True, help="Of each search.")
@click.option("--seed", default=2024, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Another folder for the numbers.")
def main(names, every, n, steps, seed, threads, out) -> None:
    torch.set_num_threads(threads)
    try:
        for name in STUDIES if every else names:
            finding = run_study(name, Lab(n, steps, seed))
            click.echo(f"{name} · {finding.about['seconds']} s · {write_finding(finding, out)}")
            for row in finding.rows:
                click.echo("  " + " · ".join(f"{key} {value}" for key, value in row.items()))
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
