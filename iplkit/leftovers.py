"""What a run that was killed leaves behind: processes that go on, temporary files, results without a seal.

A result counts only with its record, and a record only if the files it names have the bytes it names. Whatever fails
that is removed before the workflow looks at what is there, so it is made again and never half-kept.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from iplkit import paths
from iplkit.execute import LIVE
from iplkit.files import sha256
from iplkit.jobs import Job
from iplkit.sources import modules_of_module

MARK = "IPLKIT_RUN"  # an environment variable that every process of a run inherits: which repository it works for
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}(\.\w+)*")  # of `iplkit.files.atomic_path`
CODE = "code.txt"  # beside caches and checkpoints: of which code they are


def mark() -> dict[str, str]:
    """The variable, for the processes that a run starts."""
    return {MARK: str(paths.root())}


def end_processes() -> int:
    """End what still works for this repository's last run, kernels too; they may have left its process group.

    Returns:
        How many there were.
    """
    import psutil

    found = [process for process in psutil.process_iter() if _environment(process).get(MARK) == str(paths.root())]
    for process in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return len(psutil.wait_procs(found, timeout=10)[0])


def _environment(process) -> dict[str, str]:
    import psutil

    try:
        return process.environ()
    except (psutil.Error, OSError):  # it has just ended, or it is not ours
        return {}


def clear(table: Sequence[Job], tier: str, profile: str) -> list[str]:
    """Remove from a run's folder what is no whole result of this table.

    Returns:
        Names of the results that were there and not whole; temporary files are not worth a word.
    """
    run = paths.run_folder(tier, profile)
    for folder in ("figures", "notebooks", "live"):
        for path in [p for p in (run / folder).glob(".*") if TEMPORARY.fullmatch(p.name)]:
            path.unlink()
    _drop_other_code(run / "adapted", tier)
    return [*_clear_sealed(run, table, profile), *_clear_adapted(table)]


def _clear_sealed(run: Path, table: Sequence[Job], profile: str) -> list[str]:
    """Figures, tables and the live page's files: each has a record with their hashes."""
    outputs = {paths.root() / output for job in table for output in job.outputs}
    if profile == "paper":  # which ones a notebook draws depends on the reader's files, so no step declares them
        outputs |= set((run / "figures").glob("*.json"))
    records = [path for path in sorted(outputs) if path.match("figures/*.json") and not path.match("*.run.json") or path == run / LIVE]
    broken = [path for path in records if path.is_file() and not _whole(path)]
    for path in broken:
        path.unlink()
    described = {path.parent / name for path in records if path.is_file() for name in _read(path)["files"]}
    for path in set((run / "figures").glob("*")) - outputs - described:
        path.unlink()
    return [path.stem for path in broken]


def _clear_adapted(table: Sequence[Job]) -> list[str]:
    products = [paths.root() / job.outputs[0] for job in table if job.kind == "adapt"]
    broken = [path for path in products if path.is_file() and _read(path.with_suffix(".json")).get("sha256") != sha256(path)]
    for path in broken:
        path.unlink()
    return [path.stem for path in broken]


def _whole(record: Path) -> bool:
    files = _read(record).get("files", {})
    return bool(files) and all((record.parent / name).is_file() and sha256(record.parent / name) == digest for name, digest in files.items())


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _drop_other_code(folder: Path, tier: str) -> None:
    """Checkpoints and caches are only good for the code that wrote them. The full tier's belong to the sweep, which decides."""
    if tier == "full" or not folder.is_dir():
        return
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in modules_of_module("iplkit.adapt.products"))).hexdigest()
    if not (folder / CODE).is_file() or (folder / CODE).read_text() != digest:
        for name in (".cache", ".resume"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / CODE).write_text(digest)
