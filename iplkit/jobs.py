"""The workflow's table: which notebook needs what and makes what.

One table, `jobs`, drives everything: Snakemake decides from it what must run again, ``--dry-run`` prints it, and
`iplkit.verify` reads it. It is made from the notebooks' own code (see `iplkit.sources`).
"""

import difflib
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from iplkit import paths
from iplkit.errors import UserError
from iplkit.execute import LIVE
from iplkit.exhibits import exhibits, page_paths
from iplkit.paper_files import why_not
from iplkit.sources import Source, modules_of_module, modules_of_script, read_source
from iplkit.stage import FRAME, PYTHON, first_page
from iplkit.sweep.cells import manifest_path
from iplkit.sweep.plans import plan as plan_cells
from iplkit.sweep.plans import plans_at

PARTS = 13  # of a plan at the full tier: one for each domain


@dataclass(frozen=True)
class Job:
    """One step of the workflow.

    Args:
        name: what the reader calls it: ``11_adaptation``, ``ipl-photo-to-ukiyo-e-seed0``, ``cells-laptop`` or ``book``.
        kind: "adapt", "cells", "notebook" or "book".
        inputs: files whose change makes it run again, relative to the repository.
        outputs: files it makes. Pictures are not among them: their kind is known only when they are drawn, and
            their records, which are, name them.
        log: what it printed.
        command: what Python runs, in the repository's root.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str
    command: tuple[str, ...]

    @property
    def rule(self) -> str:
        """Its name in Snakemake."""
        return f"{self.kind}_{re.sub(r'[^A-Za-z0-9]', '_', self.name)}"

    @property
    def state(self) -> str:
        """A file with one word about its last run: "begin", "done" or "failed"."""
        return str(Path(self.log).with_suffix(".state"))

    @property
    def shell(self) -> str:
        """The command with its output kept in the log, and its state in a file that every executor can write."""
        log, state = shlex.quote(self.log), shlex.quote(self.state)
        command = f'"${PYTHON}" {shlex.join(self.command)} >{log} 2>&1'
        return f"echo begin >{state}; if {command}; then echo done >{state}; else echo failed >{state}; exit 1; fi"


def chapters() -> list[Source]:
    """The notebooks of the book, in its order, from ``_toc.yml``.

    Raises:
        UserError: if one is missing or cannot be read.
    """
    toc = yaml.safe_load((paths.root() / "_toc.yml").read_text(encoding="utf-8"))
    names = [entry["file"] for part in toc.get("parts", []) for entry in part["chapters"] if entry["file"].startswith("notebooks/")]
    return [read_source(paths.root() / f"{name}.ipynb") for name in names]


def jobs(tier: str = "laptop", profile: str = "world") -> list[Job]:
    """The whole table for one tier and profile, in the order of the book.

    Profile "paper" has the notebooks that can run with the reader's files, and what they need; see `left_out` for the others.
    The book is made of the world's run: there, no figure is left out.

    Raises:
        UserError: if two notebooks write the same figure, or one reads a record that none writes.
    """
    run = _relative(paths.run_folder(tier, profile))
    sources = chapters()
    writers = {name: source.name for source in sources for name in source.writes}
    if clash := [name for source in sources for name in source.writes if writers[name] != source.name]:
        raise UserError(f"a figure or table needs one notebook that writes it; two write {', '.join(sorted(set(clash)))}")
    printed = {path.stem for path in (paths.root() / "figures").glob("*.json")}
    if lost := [name for source in sources for name in source.reads if name not in writers and name not in printed]:
        raise UserError(f"a record that is read needs a notebook that writes it; none writes {', '.join(sorted(set(lost)))}")
    if profile == "paper":
        gone = left_out(sources)
        sources = [source for source in sources if source.name not in gone]
    wanted = dict.fromkeys(pair for source in sources for pair in source.adapted)
    table = [_adapt_job(method, target, tier, profile, run) for method, target in wanted]
    plans = dict.fromkeys(name for source in sources for name in source.cells) if profile == "world" else ()
    for name in plans:
        parts = [_part_job(name, k, wanted, tier, run) for k in range(PARTS)] if tier == "full" else []
        table += [*parts, _cells_job(name, wanted, tier, run, tuple(part.outputs[0] for part in parts))]
    lists, pages = [_relative(manifest_path(name, tier)) for name in plans], _pages()
    table += [_notebook_job(source, set(writers), lists, pages, tier, profile, run) for source in sources]
    return [*table, _book_job(table, tier, profile, run)] if profile == "world" else table


def left_out(sources: Iterable[Source] | None = None) -> dict[str, str]:
    """Notebooks that cannot run with the reader's files, and why: name -> the end of a sentence."""
    found = {}
    for source in chapters() if sources is None else sources:
        if source.models is None:
            found[source.name] = "knows only the world's models; it has no call of begin"
        elif why := why_not([*source.models, *(("generator", "clip") if source.adapted else ())]):
            found[source.name] = why
    return found


def select(table: list[Job], names: tuple[str, ...]) -> list[Job]:
    """The jobs behind chapters, figures, tables or adapted generators; all of them if no name is given.

    Raises:
        UserError: for an unknown name, with the nearest known ones.
    """
    made = {Path(output).stem: job for job in table for output in job.outputs} | {job.name: job for job in table}
    gone = left_out() if not {*names} <= {*made} and all(job.kind != "book" for job in table) else {}
    for name in names:
        if name in gone:
            raise UserError(f"{name} {gone[name]}")
        if name not in made:
            near = difflib.get_close_matches(name, made, n=3, cutoff=0.4) or [job.name for job in table if job.kind == "notebook"]
            raise UserError(f"regenerate needs the name of a chapter, a figure or a table; there is no {name!r}, but {', '.join(near)}")
    return list(dict.fromkeys(made[name] for name in names)) or table


def _adapt_job(method: str, target: str, tier: str, profile: str, run: str) -> Job:
    outputs = tuple(f"{run}/adapted/{file}" for file in product_files(method, target))
    name = Path(outputs[0]).stem
    command = ("-m", "iplkit.cli", "adapt", "--source", "photo", "--target", target, "--method", method, "--tier", tier, "--profile", profile)
    inputs = _modules("iplkit.adapt.products") + _weights(profile)
    return Job(name, "adapt", inputs, outputs, f"{run}/logs/{name}.txt", command)


def product_files(method: str, target: str) -> tuple[str, str]:
    """Weights and record of an adapted generator; the record is written last, so a mapper is there too."""
    weights = paths.adapted_name(method, target)
    return weights, f"{weights.removesuffix('.safetensors')}.json"


def _part_job(name: str, k: int, adapted: Iterable[tuple[str, str]], tier: str, run: str) -> Job:
    """Some domains of a plan: at the full tier a plan is days of work, which machines can share."""
    manifest = manifest_path(f"{name} part {k}", tier)
    command = ("-m", "iplkit.sweep.job", name, "--tier", tier, "--part", f"{k}/{PARTS}")
    return Job(manifest.stem, "cells", _cells_inputs(name, adapted, tier, run), (_relative(manifest),), f"{run}/logs/{manifest.stem}.txt", command)


def _cells_job(name: str, adapted: Iterable[tuple[str, str]], tier: str, run: str, parts: tuple[str, ...] = ()) -> Job:
    """Cells of a plan, after its parts if there are any."""
    manifest = manifest_path(name, tier)
    command = ("-m", "iplkit.sweep.job", name, "--tier", tier)
    inputs = _cells_inputs(name, adapted, tier, run) + parts
    return Job(manifest.stem, "cells", inputs, (_relative(manifest),), f"{run}/logs/{manifest.stem}.txt", command)


def _cells_inputs(name: str, adapted: Iterable[tuple[str, str]], tier: str, run: str) -> tuple[str, ...]:
    """What cells are made of; they wait for the generators among them that notebooks need anyway."""
    wanted = {paths.adapted_name(cell.method, cell.target, seed=cell.seed) for cell in plan_cells(plans_at(name, tier)) if not cell.variant}
    products = tuple(f"{run}/adapted/{file}" for file in (paths.adapted_name(*pair) for pair in adapted) if file in wanted)
    return _modules("iplkit.sweep.job") + _weights("world") + products


def _notebook_job(
    source: Source, written: set[str], lists: list[str], pages: dict[str, str], tier: str, profile: str, run: str
) -> Job:
    modules = tuple(dict.fromkeys([*map(_relative, source.modules), *_modules("iplkit.execute")]))
    products = tuple(f"{run}/adapted/{file}" for pair in source.adapted for file in product_files(*pair))
    read = [name for name in source.reads if name not in source.writes and (profile == "world" or name not in written)]
    records = tuple(f"{run if name in written else '.'}/figures/{name}.json" for name in read)
    records = tuple(name.removeprefix("./") for name in records)
    inputs = (_relative(source.notebook), *modules, *(_weights(profile) if "iplkit/zoo.py" in modules else ()))
    inputs += (*products, *_lists_of(source, lists, tier), *records, *map(_relative, source.printed))
    inputs += tuple(pages[name] for name in source.writes if name in pages)  # records hold the captions
    outputs = (f"{run}/notebooks/{source.name}.ipynb",)
    if profile == "world":  # with other models a notebook may leave figures out
        outputs += tuple(f"{run}/figures/{file}" for name in source.writes for file in files_of(name))
    outputs += (f"{run}/{LIVE}",) if source.exports and profile == "world" else ()
    command = ("-m", "iplkit.execute", source.name, "--tier", tier, "--profile", profile)
    return Job(source.name, "notebook", tuple(dict.fromkeys(inputs)), outputs, f"{run}/logs/{source.name}.txt", command)


def _pages() -> dict[str, str]:
    """Figure or table -> the first page that shows it, and so gives it its caption."""
    return {found.shows: _relative(page) for page in reversed(page_paths()) for found in reversed(exhibits(page))}


def files_of(name: str) -> tuple[str, ...]:
    """The files of a figure or table that stand under a known name; a figure's picture is named by its record."""
    return (f"{name}.json", f"{name}.run.json", *((f"{name}.csv", f"{name}.md") if name.startswith("tab-") else ()))


def _lists_of(source: Source, lists: list[str], tier: str) -> list[str]:
    """The lists of the cells that a notebook waits for. The full tier fills the printed ones, so whoever reads those waits too."""
    printed = any("cells" in path.parts for path in source.printed)
    mine = {manifest_path(name, tier).name for name in source.cells}
    return [path for path in lists if Path(path).name in mine or (printed and tier == "full")]


def _book_job(table: list[Job], tier: str, profile: str, run: str) -> Job:
    frame = [p for name in FRAME for p in ([paths.root() / name] if "." in name else sorted((paths.root() / name).rglob("*"))) if p.is_file()]
    frame = [path for path in frame if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)]
    modules = {*_modules("iplkit.stage"), *(_relative(m) for path in frame if path.suffix == ".py" for m in modules_of_script(path))}
    inputs = [out for job in table if job.kind == "notebook" for out in job.outputs]
    inputs += [*map(_relative, frame), *sorted(modules)]
    command = ("-m", "iplkit.stage", "--tier", tier, "--profile", profile)
    return Job("book", "book", tuple(inputs), (_relative(first_page()),), f"{run}/logs/book.txt", command)


def _modules(name: str) -> tuple[str, ...]:
    return tuple(_relative(path) for path in modules_of_module(name))


def _weights(profile: str) -> tuple[str, ...]:
    """Stands for all weights: the list of the shipped ones' hashes; the paper's files themselves, as far as they are there."""
    if profile == "paper":
        from iplkit.zoo import PAPER_FOLDER, entries  # imports torch, which takes seconds

        folder = Path(os.environ.get(PAPER_FOLDER) or paths.root() / "nowhere")
        return tuple(str(path) for path in sorted(folder / entry.file for entry in entries("paper")) if path.is_file())
    return ("iplkit/shipped/hashes.json",) if (paths.root() / "iplkit" / "shipped" / "hashes.json").is_file() else ()


def _relative(path: Path) -> str:
    return path.relative_to(paths.root()).as_posix()
