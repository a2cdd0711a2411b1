"""Carry out the studies of text edits, and keep their numbers for the book.

\b
    python -m iplkit.edit.studies.run relevance_speed
    python -m iplkit.edit.studies.run by_text --n 20
"""

from importlib import import_module
from pathlib import Path

import click
import torch

from iplkit.edit.studies.bench import Bench
from iplkit.errors import UserError
from iplkit.findings import SHELVES, Finding, finding_path, timed, write_finding

SHELF = "text"
STUDIES = SHELVES[SHELF].studies


def run_study(name: str, bench: Bench) -> Finding:
    """Carry out a study; its time is in its `about`.

    Raises:
        UserError: if there is none of this name.
    """
    finding_path(SHELF, name)
    return timed(getattr(import_module(f"iplkit.edit.studies.{name}"), name), bench)


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--n", default=20, show_default=True, help="People a condition.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Another folder for the numbers.")
def main(names, n, threads, out) -> None:
    torch.set_num_threads(threads)
    try:
        for name in names or STUDIES:
            finding = run_study(name, Bench(n))
            click.echo(f"{name} · {finding.about['seconds']} s · {write_finding(SHELF, finding, out)}")
            for row in finding.rows:
                click.echo("  " + " · ".join(f"{key} {value}" for key, value in row.items()))
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
