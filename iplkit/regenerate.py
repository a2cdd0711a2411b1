"""Running the part of the workflow that is out of date. What is in it, `iplkit.jobs` says; what is out of date, Snakemake."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click
import yaml

from iplkit import leftovers, paths
from iplkit.errors import UserError, full_disk_sentence
from iplkit.jobs import Job, jobs, left_out, select
from iplkit.progress import TICK, Progress
from iplkit.stage import environment

FREE = {"smoke": 300e6, "laptop": 300e6, "full": 2e9}  # bytes of disk that a whole run may fill
LARGE = 100_000  # bytes of a new picture that `keep` leaves out
POLITE = 20  # seconds that a cluster gets to take back its jobs


def plan(table: Sequence[Job], names: tuple[str, ...], tier: str, profile: str, force: bool) -> dict[str, str]:
    """What would run, and why: name -> reason.

    Raises:
        UserError: if Snakemake cannot tell.
    """
    rules = {job.rule: job.name for job in table}
    command = _snakemake(select(table, names) if names else [], tier, profile, force, "--cores", "1", "--dry-run")
    done = subprocess.run(command, cwd=paths.root(), env=environment(), capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    if done.returncode:
        raise UserError(f"the workflow cannot be planned; Snakemake says: {text.strip()}")
    found = re.findall(r"^(?:local)?rule (\S+):\n(?:.*\n)*?    reason: (.*)$", text, re.MULTILINE)
    return {rules[rule]: reason for rule, reason in found if rule in rules}


def regenerate(
    names: tuple[str, ...] = (), tier: str = "laptop", profile: str = "world", workers: int | None = None, force: bool = False,
    cluster: Path | None = None,
) -> float:  # fmt: skip
    """Run what is out of date, in parallel; what was interrupted before is made again.

    A step that fails takes only those with it that need it; the others go on.

    Args:
        names: chapters, figures, tables or adapted generators; none means everything.
        tier, profile: as usual.
        workers: steps at a time; None is as many as there are cores, or as the cluster's profile says.
        force: run them even if they are up to date.
        cluster: a folder with a Snakemake profile that says where steps run; None is this machine.

    Returns:
        Seconds it took.

    Raises:
        UserError: if something is missing, a step fails, or another run is going on.
    """
    table = jobs(tier, profile)
    select(table, names)  # refuses an unknown name, and one that cannot run
    if not table:
        raise UserError(f"no notebook can run with these files: {'; '.join(f'{name} {why}' for name, why in left_out().items())}")
    with _only_one_at_a_time():
        _end_the_last_run(table, tier, profile)
        reasons = plan(table, names, tier, profile, force)
        todo, begun = [job for job in table if job.name in reasons], time.monotonic()
        if not todo:
            click.echo("Everything is up to date.")
            return 0.0
        _check_weights(todo, profile)
        _check_disk(tier)
        _check_cluster(cluster)
        workers = workers or (os.cpu_count() or 1 if cluster is None else None)
        targets = select(table, names) if names else []
        progress = Progress(todo, workers or len(todo), tier, profile)
        where = ["--cores", str(workers)] if cluster is None else ["--workflow-profile", str(cluster), *(["--jobs", str(workers)] if workers else [])]
        code = _follow(_snakemake(targets, tier, profile, force, "--keep-going", *where), progress, 1 if cluster is None else POLITE)
        changed = _changed_meanwhile(progress)
        if code:
            raise UserError(_failure(progress))
        for name, files in changed.items():
            click.echo(f"{files[0]} changed while {name} ran; the next run makes it again.")
    return time.monotonic() - begun


def keep(tier: str, profile: str) -> list[str]:
    """Copy the figures, tables and records of a run over the printed ones in ``figures/``.

    Full-tier results go to ``figures/full/`` and never replace one that is there. The repository has a budget: a new
    picture of more than `LARGE` bytes is left out, its record and its numbers are kept, and a run draws it again.

    Returns:
        Names of the files copied.
    """
    source, target = paths.run_folder(tier, profile) / "figures", paths.root() / "figures"
    target = target / "full" if tier == "full" else target
    target.mkdir(parents=True, exist_ok=True)
    files = [path for path in sorted(source.glob("*")) if path.is_file() and not (tier == "full" and (target / path.name).exists())]
    left = {path.name for path in files if path.suffix in (".png", ".svg") and path.stat().st_size > LARGE and not (target / path.name).exists()}
    for path in files:
        if path.name not in left:
            shutil.copyfile(path, target / path.name)
    for path in [target / path.name for path in files if path.name.endswith(".run.json")]:
        _say_what_is_left_out(path, left)
    return [path.name for path in files if path.name not in left]


def _say_what_is_left_out(run: Path, left: set[str]) -> None:
    """Name in ``name.run.json`` the pictures of its record that are not kept, so that nobody misses them."""
    from iplkit.records import write_json

    record = json.loads(run.with_name(run.name.replace(".run.json", ".json")).read_text(encoding="utf-8"))
    if absent := sorted(left & set(record["files"])):
        write_json(run, json.loads(run.read_text(encoding="utf-8")) | {"left_out": absent})


def _end_the_last_run(table: list[Job], tier: str, profile: str) -> None:
    if count := leftovers.end_processes():
        click.echo(f"A run before this one was stopped; {count} of its processes still worked and were ended.")
    if broken := leftovers.clear(table, tier, profile):
        click.echo(f"Not whole, so made again: {', '.join(broken)}.")


def _check_weights(todo: list[Job], profile: str) -> None:
    """Refuse to begin without the weights; a kernel would say it minutes later."""
    if profile == "paper":
        return  # notebooks without their files are not in the table; see `iplkit.jobs.left_out`
    listed = paths.root() / "iplkit" / "shipped" / "hashes.json"
    if any(listed.relative_to(paths.root()).as_posix() in job.inputs for job in todo):
        missing = [name for name in json.loads(listed.read_text(encoding="utf-8")) if not (listed.parent / name).is_file()]
        if missing:
            raise UserError(f"the notebooks need the shipped weights; missing in iplkit/shipped: {', '.join(missing)}; git checkout brings them back")


def _check_disk(tier: str) -> None:
    if (free := shutil.disk_usage(paths.root()).free) < FREE[tier]:
        raise UserError(f"the disk needs {FREE[tier] / 1e6:.0f} MB of free space for this tier; it has {free / 1e6:.0f} MB, so nothing was begun")


def _check_cluster(folder: Path | None) -> None:
    if folder is None:
        return
    if not (folder / "config.yaml").is_file():
        known = sorted(path.parent.relative_to(paths.root()).as_posix() for path in paths.root().glob("profiles/*/config.yaml"))
        raise UserError(f"--workflow-profile needs a folder with a config.yaml; {folder} is none, but {', '.join(known) or 'there is none here'}")
    executor = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")).get("executor", "local")
    if executor != "local" and find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}") is None:
        raise UserError(f"{folder} needs the package snakemake-executor-plugin-{executor}; install it with: pip install -c requirements.txt -e '.[cluster]'")


def _snakemake(targets: Sequence[Job], tier: str, profile: str, force: bool, *more: str) -> list[str]:
    command = [sys.executable, "-m", "snakemake", *more, "--snakefile", str(paths.root() / "Snakefile"), "--directory", str(paths.root())]
    command += ["--nolock", "--rerun-incomplete", "--config", f"tier={tier}", f"profile={profile}"]
    if force:
        command += ["--forcerun", *(job.rule for job in targets)] if targets else ["--forceall"]
    return [*command, "--", *(job.rule for job in targets)]


def _follow(command: list[str], progress: Progress, patience: float) -> int:
    """Run Snakemake, its own words in a file; if we are stopped, so is all that it started. Returns its exit code."""
    with open(_snakemake_log(), "w") as log, _stopping(), subprocess.Popen(
        command, cwd=paths.root(), env=environment() | leftovers.mark(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:
            while process.poll() is None:
                progress.look()
                time.sleep(TICK)
            progress.look()
        except BaseException:
            try:
                process.send_signal(signal.SIGINT)
                process.wait(patience)
            except subprocess.TimeoutExpired:
                pass
            finally:
                leftovers.end_processes()
            raise
        finally:
            progress.close()
    return process.returncode


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM is taken as Ctrl-C, and Ctrl-C is heard even where a shell started us in the background."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _changed_meanwhile(progress: Progress) -> dict[str, list[str]]:
    """Steps whose code was edited while they ran; their results go, since nobody knows which code they are of."""
    made = {output for job in progress.jobs.values() for output in job.outputs}
    found = {}
    for name in progress.seconds:
        job = progress.jobs[name]
        sources = [path for file in job.inputs if file not in made and (path := paths.root() / file).is_file()]
        if changed := [path for path in sources if path.stat().st_mtime > progress.begun[name]]:
            found[name] = [path.relative_to(paths.root()).as_posix() for path in changed]
            (paths.root() / job.outputs[0]).unlink(missing_ok=True)
    return found


def _failure(progress: Progress) -> str:
    """The last words of the jobs that failed, and where their logs are."""
    sentences = []
    for name in progress.failed:
        log = progress.jobs[name].log
        path = paths.root() / log
        lines = (path.read_text(encoding="utf-8", errors="replace") if path.is_file() else "").strip().splitlines() or ["it printed nothing"]
        click.echo("\n".join(lines[-30:-1]), err=True)
        sentences.append(f"{name} failed, see {log}; {lines[-1].removeprefix('Error: ')}")
    if shutil.disk_usage(paths.root()).free < 1e6:
        sentences.append(full_disk_sentence(""))
    return "; ".join(sentences) or f"Snakemake stopped; see {_snakemake_log().relative_to(paths.root())}"


def _snakemake_log() -> Path:
    return paths.root() / "_build" / "snakemake.txt"


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
