"""Cells as a step of the workflow: a plan computed in one process, and a list of its cells written at the end.

A run's own cells are measured anew, because the code may have changed since. Printed cells (the full tier) are not:
there this is the sweep that fills the thesis table, and it goes on where the last one stopped.
"""

import hashlib
import json

import click
import torch

from iplkit.errors import UserError, one_sentence
from iplkit.records import write_json
from iplkit.sweep.cells import cell_folder, manifest_path, read_cell
from iplkit.sweep.plans import choose, plan, plans_at
from iplkit.sweep.run import run_cells, waiting


def compute(name: str, tier: str) -> dict[str, str]:
    """Compute a plan's cells, and list them.

    Args:
        name: of the plan.
        tier: "full" goes on filling the printed cells of all plans that it is a part of.

    Returns:
        Name of each cell -> hash of all that must come out again: everything but its circumstances.

    Raises:
        UserError: unknown plan or tier; or cells are missing because another process works on them.
    """
    cells, folder = plan(plans_at(name, tier)), cell_folder(tier)
    manifest_path(name, tier).unlink(missing_ok=True)
    if tier != "full":
        for cell in cells:
            (folder / f"{cell.name}.json").unlink(missing_ok=True)
    torch.set_num_threads(1)
    run_cells(cells, folder, tier, progress=False)
    if missing := waiting(cells, folder):
        raise UserError(f"another process is computing some of these cells; wait for it, and run this again: {', '.join(c.name for c in missing[:3])}")
    listed = {cell.name: _hash(read_cell(folder / f"{cell.name}.json")) for cell in cells}
    write_json(manifest_path(name, tier), {"kind": "list of cells", "plan": name, "tier": tier, "cells": listed})
    return listed


def compute_part(name: str, tier: str, part: str) -> int:
    """Compute some domains of a plan, so that machines share it; `compute` then finds their cells there.

    Args:
        name, tier: see `compute`.
        part: "K/N", every Nth domain from the Kth on.

    Returns:
        How many cells the part has.
    """
    cells = choose(plan(plans_at(name, tier)), part=part)
    torch.set_num_threads(1)
    run_cells(cells, cell_folder(tier), tier, progress=False)
    write_json(manifest_path(f"{name} part {part.split('/')[0]}", tier), {"kind": "part of a sweep", "plan": name, "tier": tier, "part": part, "cells": len(cells)})
    return len(cells)


def _hash(record: dict) -> str:
    lasting = {key: value for key, value in record.items() if key != "circumstances"}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()


@click.command()
@click.argument("name")
@click.option("--tier", default="laptop")
@click.option("--part", default="")
def main(name: str, tier: str, part: str) -> None:
    """Compute the cells of a plan; the workflow calls this."""
    with one_sentence():
        click.echo(f"{compute_part(name, tier, part) if part else len(compute(name, tier))} cells")


if __name__ == "__main__":
    main()
