"""Carry out the studies of W, W+ and S, and keep their numbers for the book.

\b
    python -m iplkit.edit.latent_studies.run row_matrix
    python -m iplkit.edit.latent_studies.run --all

A file is written once and read ever after; it says which weights it stands on.
"""

from importlib import import_module
from pathlib import Path

import click
import torch

from iplkit.errors import UserError
from iplkit.findings import Finding, finding_path, timed, write_finding
from iplkit.invert.studies.lab import Lab

SHELF = "latent"
PEOPLE = {"row_matrix": 500, "row_fit": 20, "lab_report": 64, "spaces": 1600, "directions": 20, "path_length": 250}
"""The studies, and how many people each needs for the numbers that are printed."""


def run_study(name: str, lab: Lab) -> Finding:
    """Carry out one; its time is in its `about`.

    Raises:
        UserError: if there is none of this name.
    """
    finding_path(SHELF, name)
    module = "row_matrix" if name == "row_fit" else name
    return timed(getattr(import_module(f"iplkit.edit.latent_studies.{module}"), name), lab)


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
            finding_path(SHELF, name)
            finding = run_study(name, Lab(n or PEOPLE[name], 0, seed))
            click.echo(f"{name} · {finding.about['seconds']} s · {write_finding(SHELF, finding, out)}")
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
