"""Carry out the studies of inversion, and keep their numbers for the book.

\b
    python -m iplkit.invert.studies.run which_space --n 24 --steps 200
    python -m iplkit.invert.studies.run --all

A file is written once and read ever after; it says which weights it stands on, and is measured again only where asked.
"""

from importlib import import_module
from pathlib import Path

import click
import torch

from iplkit.errors import UserError
from iplkit.findings import SHELVES, Finding, finding_path, timed, write_finding
from iplkit.invert.studies.lab import Lab

SHELF = "inversion"
STUDIES = SHELVES[SHELF].studies


def run_study(name: str, lab: Lab) -> Finding:
    """Carry out a study; the pictures are in the answer, the time is in its `about`.

    Raises:
        UserError: if there is none of this name.
    """
    finding_path(SHELF, name)
    return timed(getattr(import_module(f"iplkit.invert.studies.{name}"), name), lab)


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
            click.echo(f"{name} · {finding.about['seconds']} s · {write_finding(SHELF, finding, out)}")
            for row in finding.rows:
                click.echo("  " + " · ".join(f"{key} {value}" for key, value in row.items()))
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
