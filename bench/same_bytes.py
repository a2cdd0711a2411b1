"""Do two clean regenerations give the same? ``python bench/same_bytes.py`` runs both and compares every result.

Each runs in a copy of the repository of its own. The bar: the same bytes for every table and record, the same pixels
for every figure. Weights, executed notebooks and pages are compared too.
"""

import argparse
import shutil
from pathlib import Path

from trees import ROOT, copy_repository, different, finish, pixels, results

KINDS = {
    "tables": lambda name: name.startswith("run/") and "/figures/tab-" in name and name.endswith((".csv", ".md")),
    "records": lambda name: "/figures/" in name and name.startswith("run/") and name.endswith(".json"),
    "figures": lambda name: name.startswith("run/") and name.endswith((".png", ".svg")),
    "cells": lambda name: "/cells/" in name,
    "weights": lambda name: name.endswith((".safetensors", ".pt", ".onnx")),
    "executed notebooks": lambda name: name.startswith("run/") and name.endswith(".ipynb"),
    "pages": lambda name: name.endswith(".html"),
}
ASKED = ("tables", "records", "figures")


def main() -> None:
    """Run, compare, print one line a kind; exit code 1 if a table, a record or a figure differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", default="smoke", choices=("smoke", "laptop"))
    parser.add_argument("-j", "--jobs", type=int, nargs=2, default=(1, 2), help="steps at a time in the two runs (default 1 2)")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "same_bytes", help="where both copies go; what is there and whole is not run again")
    parser.add_argument("--clean", action="store_true", help="remove the copies first")
    options = parser.parse_args()
    if options.clean:
        shutil.rmtree(options.folder, ignore_errors=True)
    trees = [options.folder / name for name in ("one", "two")]
    for tree in trees:
        if not tree.is_dir():
            copy_repository(tree)
    for tree, workers in zip(trees, options.jobs, strict=True):
        print(f"{tree}: {workers} steps at a time", flush=True)
        finish(tree, options.tier, workers, options.folder / f"{tree.name}.txt")
    one, two = (results(tree, options.tier) for tree in trees)
    other = [name for name in different(one, two) if not _same_pixels(*(tree / "_build" / name for tree in trees))]
    for kind, belongs in KINDS.items():
        print(f"{kind:<20}{sum(map(belongs, one)):4} compared, {sum(map(belongs, other)):3} differ")
    for name in other:
        print(f"differs: {name}")
    raise SystemExit(any(KINDS[kind](name) for kind in ASKED for name in other))


def _same_pixels(one: Path, two: Path) -> bool:
    return one.suffix == ".png" and one.is_file() and two.is_file() and pixels(one) == pixels(two)


if __name__ == "__main__":
    main()
