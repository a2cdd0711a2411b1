"""Run the cells that are not there yet, one after another; several processes can share the work.

A cell is claimed by a lock that ends with its process. It is written last, whole, and never again: an interrupted
sweep goes on with the next cell, and an interrupted cell with its last checkpoint.
"""

import fcntl
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from iplkit import paths, zoo
from iplkit.adapt.products import Product, changed_settings, load_product, make_product, product_settings
from iplkit.records import plain, shipped_hashes, write_json
from iplkit.sweep.cells import SOURCE, Cell
from iplkit.sweep.plans import OWN_SETTINGS
from iplkit.sweep.ruler import Ruler, shipped_ruler

MODELS = ("generator", "clip", "judge", "identity")


def waiting(cells: Sequence[Cell], folder: Path) -> list[Cell]:
    """The cells that have no record in a folder."""
    return [cell for cell in cells if not (folder / f"{cell.name}.json").is_file()]


def run_cells(cells: Sequence[Cell], folder: Path, tier: str, *, ruler: Ruler | None = None, out: Path | None = None, progress: bool = True) -> int:
    """Run what is waiting, and write one record a cell.

    Args:
        cells: in this order; a cell that another process works on is passed over.
        folder: of the records.
        tier: of the adaptations.
        ruler: how a cell is measured; None takes the shipped models.
        out: folder of the adapted generators; None is where notebooks look.
        progress: show how many cells are left, and the time.

    Returns:
        How many cells this call finished.
    """
    todo, done = waiting(cells, folder), 0
    if not todo:
        return 0
    ruler = ruler or shipped_ruler(tier)
    bar = tqdm(todo, desc="cells", unit="cell", disable=not progress)
    for cell in bar:
        bar.set_postfix_str(cell.name)
        with _claimed(folder, cell) as mine:
            if mine and waiting([cell], folder):
                run_cell(cell, folder, tier, ruler, out)
                done += 1
    return done


def run_cell(cell: Cell, folder: Path, tier: str, ruler: Ruler, out: Path | None = None) -> dict:
    """Adapt, or find the product that is there; measure; write the record last. Returns the record."""
    began = time.perf_counter()
    product, generator = None, ruler.generator
    if cell.method != SOURCE:
        product = adapted(cell, tier, out)
        generator = load_product(product.path)
    adapted_after = time.perf_counter()
    record = {"kind": "cell", "name": cell.name, "method": cell.method, "target": cell.target, "seed": cell.seed, "variant": cell.variant}
    record |= {"tier": tier, "profile": "world", "reach": plain(ruler.reach), "inputs": _inputs()}
    record |= {"settings": product.record["settings"], "summary": product.record["summary"]} if product else {"true renders": ruler.true_scores(cell.target)}
    record["scores"] = ruler.scores(generator, cell.target)
    seconds = {"adapt": round(adapted_after - began, 1), "measure": round(time.perf_counter() - adapted_after, 1)}
    circumstances = {"seconds": seconds, "threads": torch.get_num_threads(), "torch": torch.__version__}
    write_json(folder / f"{cell.name}.json", plain(record | {"circumstances": circumstances}))
    return record


def adapted(cell: Cell, tier: str, out: Path | None = None) -> Product:
    """The adapted generator of a cell; trained if it is not there."""
    changes = OWN_SETTINGS.get(cell.method, ()) + cell.changes
    settings = changed_settings(cell.method, "world", tier, changes) or product_settings(cell.method, "world", tier)
    folder = out or paths.run_folder(tier) / "adapted"
    shared = folder / ".cache"  # the pool and the source side of a seed serve all variants that do not change them
    folder = folder / paths.slug(cell.variant) if cell.variant else folder
    return make_product("photo", cell.target, cell.method, "world", tier, cell.seed, folder, settings=settings, progress=False, cache=shared)


def _inputs() -> dict[str, str]:
    hashes = shipped_hashes()
    return {name: hashes[name] for name in MODELS}


@contextmanager
def _claimed(folder: Path, cell: Cell) -> Iterator[bool]:
    """Whether this process may work on a cell; the claim ends with the block, or with the process."""
    locks = paths.root() / "_build" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    where = folder.relative_to(paths.root()) if folder.is_relative_to(paths.root()) else folder
    with open(locks / f"{paths.slug(str(where))}-{cell.name}", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
