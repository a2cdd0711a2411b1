"""The workflow: which notebook needs what and makes what, and running the part that is out of date.

One table, `jobs`, drives everything: Snakemake decides from it what must run again, ``--dry-run`` prints it, and
`iplkit.verify` reads it. It is made from the notebooks' own code (see `iplkit.sources`).
"""

import difflib
import fcntl
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from iplkit import paths
from iplkit.errors import UserError
from iplkit.sources import Source, modules_of_module, read_source
from iplkit.stage import FRAME, environment, first_page
from iplkit.sweep.cells import cell_folder, manifest_path
from iplkit.sweep.plans import plan as plan_cells
from iplkit.sweep.plans import plans_at

GUESS = {"adapt": 90.0, "cells": 90.0, "notebook": 20.0, "book": 20.0}  # seconds, until a first run has measured them


@dataclass(frozen=True)
class Job:
    """One step of the workflow.

    Args:
        name: what the reader calls it: ``11_adaptation``, ``ipl-photo-to-ukiyo-e-seed0``, ``cells-laptop`` or ``book``.
        kind: "adapt", "cells", "notebook" or "book".
        inputs: files whose change makes it run again, relative to the repository.
        outputs: files it makes.
        log: what it printed.
        command: what it runs, in the repository's root.
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
    def shell(self) -> str:
        """The command with its output kept in the log, and a line to say that it began and how it ended."""
        log = shlex.quote(self.log)
        return f"echo '@begin {self.name}'; if {shlex.join(self.command)} >{log} 2>&1; then echo '@done {self.name}'; else echo '@failed {self.name}'; exit 1; fi"


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
    wanted = dict.fromkeys(pair for source in sources for pair in source.adapted)
    table = [_adapt_job(method, target, tier, profile, run) for method, target in wanted]
    plans = dict.fromkeys(name for source in sources for name in source.cells) if profile == "world" else ()
    table += [_cells_job(name, wanted, tier, run) for name in plans]
    table += [_notebook_job(source, set(writers), tier, profile, run) for source in sources]
    return [*table, _book_job(table, tier, profile, run)]


def _adapt_job(method: str, target: str, tier: str, profile: str, run: str) -> Job:
    name = paths.adapted_name(method, target).removesuffix(".safetensors")
    output = f"{run}/adapted/{name}.safetensors"
    command = (sys.executable, "-m", "iplkit.cli", "adapt", "--source", "photo", "--target", target, "--method", method)
    command += ("--tier", tier, "--profile", profile)
    inputs = tuple(_relative(path) for path in modules_of_module("iplkit.adapt.products")) + _shipped()
    return Job(name, "adapt", inputs, (output,), f"{run}/logs/{name}.txt", command)


def _cells_job(name: str, adapted: Iterable[tuple[str, str]], tier: str, run: str) -> Job:
    """Cells of a plan; they wait for the generators among them that notebooks need anyway."""
    wanted = {paths.adapted_name(cell.method, cell.target, seed=cell.seed) for cell in plan_cells(plans_at(name, tier)) if not cell.variant}
    products = tuple(f"{run}/adapted/{file}" for file in (paths.adapted_name(*pair) for pair in adapted) if file in wanted)
    manifest = manifest_path(name, tier)
    command = (sys.executable, "-m", "iplkit.sweep.job", name, "--tier", tier)
    inputs = tuple(_relative(path) for path in modules_of_module("iplkit.sweep.job")) + _shipped() + products
    return Job(manifest.stem, "cells", inputs, (_relative(manifest),), f"{run}/logs/{manifest.stem}.txt", command)


def _notebook_job(source: Source, written: set[str], tier: str, profile: str, run: str) -> Job:
    modules = tuple(_relative(path) for path in source.modules)
    products = tuple(f"{run}/adapted/{paths.adapted_name(*pair)}" for pair in source.adapted) + _cells_of(source, tier, profile)
    records = tuple(f"{run if name in written else '.'}/figures/{name}.json" for name in source.reads if name not in source.writes)
    records = tuple(name.removeprefix("./") for name in records)
    outputs = (f"{run}/notebooks/{source.name}.ipynb", *(f"{run}/figures/{name}.json" for name in source.writes))
    command = (sys.executable, "-m", "iplkit.execute", source.name, "--tier", tier, "--profile", profile)
    inputs = (_relative(source.notebook), *modules, *(_shipped() if "iplkit/zoo.py" in modules else ()), *products, *records)
    return Job(source.name, "notebook", inputs, outputs, f"{run}/logs/{source.name}.txt", command)


def _cells_of(source: Source, tier: str, profile: str) -> tuple[str, ...]:
    """The cells that a notebook reads: its run's, by their list, and those in print."""
    if not source.cells:
        return ()
    lists = [manifest_path(name, tier) for name in source.cells] if profile == "world" else []
    printed = [] if tier == "full" else sorted(cell_folder("full").glob("*.json"))
    return tuple(_relative(path) for path in [*lists, *printed])


def _book_job(table: list[Job], tier: str, profile: str, run: str) -> Job:
    frame = [p for name in FRAME for p in ([paths.root() / name] if "." in name else sorted((paths.root() / name).rglob("*"))) if p.is_file()]
    inputs = [out for job in table if job.kind == "notebook" for out in job.outputs]
    inputs += [_relative(path) for path in frame if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)]
    command = (sys.executable, "-m", "iplkit.stage", "--tier", tier, "--profile", profile)
    return Job("book", "book", tuple(inputs), (_relative(first_page()),), f"{run}/logs/book.txt", command)


def select(table: list[Job], names: tuple[str, ...]) -> list[Job]:
    """The jobs behind chapters, figures, tables or adapted generators; all of them if no name is given.

    Raises:
        UserError: for an unknown name, with the nearest known ones.
    """
    made = {Path(output).stem: job for job in table for output in job.outputs} | {job.name: job for job in table}
    for name in names:
        if name not in made:
            near = difflib.get_close_matches(name, made, n=3, cutoff=0.4) or [job.name for job in table if job.kind == "notebook"]
            raise UserError(f"regenerate needs the name of a chapter, a figure or a table; there is no {name!r}, but {', '.join(near)}")
    return list(dict.fromkeys(made[name] for name in names)) or table


def plan(table: list[Job], names: tuple[str, ...], tier: str, profile: str, force: bool) -> dict[str, str]:
    """What would run, and why: name -> reason."""
    rules = {job.rule: job.name for job in table}
    done = _snakemake(select(table, names) if names else [], tier, profile, 1, force, "--dry-run")
    text = done.stdout + done.stderr
    if done.returncode:
        raise UserError(f"the workflow cannot be planned; Snakemake says: {text.strip()}")
    found = re.findall(r"^(?:local)?rule (\S+):\n(?:.*\n)*?    reason: (.*)$", text, re.MULTILINE)
    reasons = {rules[rule]: reason for rule, reason in found if rule in rules}
    return {job.name: _short(reasons[job.name]) for job in table if job.name in reasons}


def _short(reason: str) -> str:
    """Snakemake's reason with one file named in place of thirty."""
    first, *more = reason.split(", ")
    return f"{first} and {len(more)} more" if more else first


def regenerate(names: tuple[str, ...] = (), tier: str = "laptop", profile: str = "world", workers: int = 1, force: bool = False) -> float:
    """Run what is out of date, and say what is going on, how far it is and how long it will still take.

    Returns:
        Seconds taken.

    Raises:
        UserError: if a job fails, or if another run is going on.
    """
    table = jobs(tier, profile)
    with _only_one_at_a_time():
        todo = plan(table, names, tier, profile, force)
        begun = time.monotonic()
        if not todo:
            click.echo("Everything is up to date.")
            return 0.0
        progress = _Progress([job for job in table if job.name in todo], workers, paths.run_folder(tier, profile) / "seconds.json")
        for job in table:
            (paths.root() / job.log).parent.mkdir(parents=True, exist_ok=True)
        with _start_snakemake(select(table, names) if names else [], tier, profile, workers, force) as process:
            for line in process.stdout:
                progress.line(line.strip())
            process.wait()
        if process.returncode:
            raise UserError(progress.failure() or f"Snakemake stopped; see {_relative(_snakemake_log())}")
    return time.monotonic() - begun


class _Progress:
    """Says when a job begins and ends, and guesses the time left from the last run."""

    def __init__(self, todo: list[Job], workers: int, memory: Path):
        self.jobs, self.workers, self.memory = {job.name: job for job in todo}, workers, memory
        known = json.loads(memory.read_text()) if memory.is_file() else {}
        self.expected = {job.name: known.get(job.name, GUESS[job.kind]) for job in todo}
        self.begun, self.seconds, self.failed = {}, {}, []
        click.echo(f"{len(todo)} steps, {workers} at a time, about {_duration(self.left())}.")

    def left(self) -> float:
        rest = [self._rest(name) for name in self.expected if name not in self.seconds]
        return max(sum(rest) / self.workers, max(rest, default=0))

    def _rest(self, name: str) -> float:
        gone = time.monotonic() - self.begun[name] if name in self.begun else 0
        return max(self.expected[name] - gone, 1)

    def line(self, text: str) -> None:
        what, _, name = text.partition(" ")
        if name not in self.jobs:
            return
        if what == "@begin":
            self.begun[name] = time.monotonic()
            click.echo(f"        {name} ...")
        else:
            self.seconds[name] = round(time.monotonic() - self.begun[name], 1)
            self.failed += [name] if what == "@failed" else []
            word = "failed after" if what == "@failed" else "done in"
            click.echo(f"[{len(self.seconds):2}/{len(self.jobs)}] {name} {word} {_duration(self.seconds[name])}; about {_duration(self.left())} left")
            self._remember()

    def _remember(self) -> None:
        known = json.loads(self.memory.read_text()) if self.memory.is_file() else {}
        good = {name: seconds for name, seconds in self.seconds.items() if name not in self.failed}
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        self.memory.write_text(json.dumps(known | good, indent=2, sort_keys=True) + "\n")

    def failure(self) -> str:
        """The last words of the first job that failed; its whole log is named."""
        if not self.failed:
            return ""
        log = self.jobs[self.failed[0]].log
        lines = (paths.root() / log).read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
        click.echo("\n".join(lines[-30:-1]), err=True)
        return f"{self.failed[0]} failed, see {log}; {lines[-1].removeprefix('Error: ')}"


def keep(tier: str, profile: str) -> list[str]:
    """Copy the figures, tables and records of a run over the printed ones in ``figures/``.

    Full-tier results go to ``figures/full/`` and never replace one that is there.

    Returns:
        Names of the files copied.
    """
    source, target = paths.run_folder(tier, profile) / "figures", paths.root() / "figures"
    target = target / "full" if tier == "full" else target
    target.mkdir(parents=True, exist_ok=True)
    files = [path for path in sorted(source.glob("*")) if path.is_file() and not (tier == "full" and (target / path.name).exists())]
    for path in files:
        shutil.copyfile(path, target / path.name)
    return [path.name for path in files]


def _arguments(targets: list[Job], tier: str, profile: str, workers: int, force: bool) -> list[str]:
    arguments = [sys.executable, "-m", "snakemake", "--snakefile", str(paths.root() / "Snakefile"), "--directory", str(paths.root())]
    arguments += ["--cores", str(workers), "--nolock", "--rerun-incomplete", "--config", f"tier={tier}", f"profile={profile}"]
    if force:
        arguments += ["--forcerun", *(job.rule for job in targets)] if targets else ["--forceall"]
    return [*arguments, "--", *(job.rule for job in targets)]


def _snakemake(targets: list[Job], tier: str, profile: str, workers: int, force: bool, *more: str) -> subprocess.CompletedProcess:
    arguments = _arguments(targets, tier, profile, workers, force)
    arguments[3:3] = more
    return subprocess.run(arguments, cwd=paths.root(), env=environment(), capture_output=True, text=True, check=False)


def _snakemake_log() -> Path:
    return paths.root() / "_build" / "snakemake.txt"


@contextmanager
def _start_snakemake(targets: list[Job], tier: str, profile: str, workers: int, force: bool) -> Iterator[subprocess.Popen]:
    """Snakemake with our jobs' lines on its standard output and its own words in a file."""
    with open(_snakemake_log(), "w") as log, subprocess.Popen(
        _arguments(targets, tier, profile, workers, force), cwd=paths.root(), env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        except BaseException:
            process.terminate()
            raise


@contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """A lock that ends with the process, so that a killed run leaves nothing to clean up."""
    folder = paths.root() / "_build"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError("only one iplkit regenerate can run in a repository at a time; another one is running") from error
        yield


def _shipped() -> tuple[str, ...]:
    """Stands for all shipped weights: it holds their hashes."""
    return ("iplkit/shipped/hashes.json",) if (paths.root() / "iplkit" / "shipped" / "hashes.json").is_file() else ()


def _relative(path: Path) -> str:
    return path.relative_to(paths.root()).as_posix()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
