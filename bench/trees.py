"""Copies of the repository that can be regenerated, killed and compared; for the scripts beside this one."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SEALS = (".run.json", "/code.txt", "/seconds.json", ".state")  # what may differ from run to run
DAY = re.compile(rb"run of \d{4}-\d{2}-\d{2}")  # below each caption of a page


def copy_repository(target: Path) -> Path:
    """All files that git knows or would add, as they are now, without anything built."""
    names = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def start(tree: Path, tier: str, workers: int, log: Path, names: tuple[str, ...] = ()) -> subprocess.Popen:
    """Begin a regeneration, as a reader does, in a session of its own."""
    command = [sys.executable, "-m", "iplkit.cli", "regenerate", "--tier", tier, "-j", str(workers), *names]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.Popen(command, cwd=tree, env=environment, stdin=subprocess.DEVNULL, stdout=open(log, "a"), stderr=subprocess.STDOUT, start_new_session=True)


def finish(tree: Path, tier: str, workers: int, log: Path) -> None:
    """A whole regeneration.

    Raises:
        SystemExit: if it fails.
    """
    if start(tree, tier, workers, log).wait():
        raise SystemExit(f"the regeneration of {tree} failed; see {log}")


def kill(process: subprocess.Popen, everything: bool) -> int:
    """kill -9 of a regeneration.

    Args:
        process: its first process.
        everything: also all processes that it has started, kernels included; else these are left alone.

    Returns:
        How many processes were killed.
    """
    found = [psutil.Process(process.pid)]
    found += found[0].children(recursive=True) if everything else []
    for one in found:
        try:
            one.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait()
    return len(found)


def results(tree: Path, tier: str) -> dict[str, str]:
    """Hash of every result of a regenerated tree: figures, tables, compared records, weights, executed notebooks, pages.

    Of a cell of the thesis table, the circumstances (seconds) do not count; of a page and of the search index, the day of a run does not.
    """
    run, html = tree / "_build" / "run" / f"world-{tier}", tree / "_build" / "stage" / "_build" / "html"
    files = [p for top in (run, html) for p in sorted(top.rglob("*")) if p.is_file() and not any(part.startswith(".") for part in p.relative_to(top).parts)]
    files = [p for p in files if not str(p).endswith(SEALS) and "logs" not in p.relative_to(tree).parts]
    return {p.relative_to(tree / "_build").as_posix(): _digest(p) for p in files}


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if path.parent.name == "cells":
        content = json.dumps({k: v for k, v in json.loads(content).items() if k != "circumstances"}).encode()
    if path.suffix == ".html":
        content = DAY.sub(b"run of a day", content)
    if path.name == "searchindex.js":
        content = _without_numbers(content)
    return hashlib.sha256(content).hexdigest()


def _without_numbers(script: bytes) -> bytes:
    """The search index without its words of digits, three of which are the day of a run."""
    index = json.loads(script[script.index(b"(") + 1 : script.rindex(b")")])
    index["terms"] = {word: pages for word, pages in index["terms"].items() if not word.isdigit()}
    return json.dumps(index).encode()


def pixels(path: Path) -> str:
    """Hash of a picture's pixels, whatever the file says beside them."""
    with Image.open(path) as picture:
        return hashlib.sha256(f"{picture.mode}{picture.size}".encode() + picture.tobytes()).hexdigest()


def different(one: dict[str, str], two: dict[str, str]) -> list[str]:
    """Names that are missing in one, or not the same."""
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
