"""The book's source as it is built: executed notebooks and fresh figures at the paths the repository gives them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from iplkit import paths
from iplkit.errors import UserError, one_sentence
from iplkit.web.inline import NAME, inline_script
from iplkit.web.kernel_only import kernel_only

SCRIPTS = "book/_static/live"  # the live page's own code
LIVE = f"{SCRIPTS}/data"  # where it looks for what a run exported to its folder "live"
INLINE = f"{SCRIPTS}/{NAME}"
FRAME = ("_config.yml", "_toc.yml", "book", "figures", "iplkit/shipped/cards")  # copied as they are

THREADS = "1"  # in each process; steps run side by side, and one thread makes the same bytes on the same machine
PYTHON = "IPLKIT_PYTHON"  # names the interpreter, so that no command holds a path: a moved environment makes nothing out of date


def environment() -> dict[str, str]:
    """Variables for the processes that this package starts: they import this very package, on one thread each."""
    threads = {name: THREADS for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    path = os.pathsep.join(dict.fromkeys([str(paths.root()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]))
    same = {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "JUPYTER_PREFER_ENV_PATH": "1", "PYTHONUNBUFFERED": "1", PYTHON: sys.executable}
    return os.environ | threads | same


def stage_folder() -> Path:
    """Where the book is put together."""
    return paths.root() / "_build" / "stage"


def first_page() -> Path:
    """Where the built book begins."""
    return stage_folder() / "_build" / "html" / "index.html"


def contents(tier: str, profile: str) -> dict[str, Path]:
    """Every file of the staged tree, relative path -> the file that goes there; later sources win.

    Notebooks that have not run are staged as they are, without outputs.
    """
    root, run = paths.root(), paths.run_folder(tier, profile)
    found = {}
    for name in FRAME:
        found |= _files(root / name, root)
    found |= _files(root / "notebooks", root)
    found |= _files(run / "notebooks", run)
    found |= _files(run / "figures", run)
    found |= {f"{LIVE}/{name}": path for name, path in _files(run / "live", run / "live").items()}
    return found


def stage(tier: str, profile: str) -> Path:
    """Bring the staged tree up to date; a file whose bytes are right is not touched, so that Sphinx rebuilds little.

    Returns:
        The staged tree.

    Raises:
        UserError: if a notebook shows a control that does nothing without a kernel.
    """
    folder, wanted = stage_folder(), contents(tier, profile)
    _refuse_dead_controls(wanted)
    for relative, source in wanted.items():
        _put(folder / relative, source.read_bytes())
    made = _made(wanted)
    for relative, content in made.items():
        _put(folder / relative, content)
    for relative in set(_files(folder, folder)) - set(wanted) - set(made):
        if not relative.startswith("_build/"):
            (folder / relative).unlink()
    return folder


def _made(wanted: dict[str, Path]) -> dict[str, bytes]:
    """What no other step makes: the live page's files in one, if a run exported them."""
    files = {name.removeprefix(f"{SCRIPTS}/"): path for name, path in wanted.items() if name.startswith(f"{SCRIPTS}/")}
    return {INLINE: inline_script(files)} if any(name.startswith(f"{LIVE}/") for name in wanted) else {}


def _refuse_dead_controls(wanted: dict[str, Path]) -> None:
    for name, path in wanted.items():
        if path.suffix == ".ipynb" and (cells := kernel_only(json.loads(path.read_text(encoding="utf-8")))):
            raise UserError(f"a page needs controls that work without a kernel; {name} shows others in cell {', '.join(cells)}")


def _put(target: Path, content: bytes) -> None:
    if not target.is_file() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def build_book(tier: str = "laptop", profile: str = "world") -> Path:
    """Stage and build the book; a warning is an error.

    Always all pages, in a folder of their own that then takes the place of the old one: Sphinx keeps half-written
    pages of a killed build, and pages it builds again differ from those of a fresh build.

    Returns:
        The first page.

    Raises:
        UserError: if the build fails; its messages are printed before, and the old pages stay.
    """
    folder, fresh = stage(tier, profile), paths.root() / "_build" / "book"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder), "--path-output", str(fresh)]
    command += ["-W", "-n", "--keep-going", "--quiet"]
    done = subprocess.run(command, cwd=paths.root(), env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        click.echo(done.stdout + done.stderr, err=True)
        raise UserError("the book needs pages that build without a warning; see the messages above")
    _replace(first_page().parent, fresh / "_build" / "html")
    shutil.rmtree(fresh)
    return first_page()


def _replace(old: Path, new: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    old.parent.mkdir(parents=True, exist_ok=True)
    new.rename(old)


def _files(top: Path, base: Path) -> dict[str, Path]:
    """All files under `top`, or `top` itself, by their path from `base`; hidden ones and caches left out."""
    found = [top] if top.is_file() else sorted(top.rglob("*")) if top.is_dir() else []
    relative = {path.relative_to(base).as_posix(): path for path in found if path.is_file()}
    return {name: path for name, path in relative.items() if not any(p.startswith(".") or p == "__pycache__" for p in name.split("/"))}


@click.command()
@click.option("--tier", default="laptop")
@click.option("--profile", default="world")
def main(tier: str, profile: str) -> None:
    """Stage and build the book; the workflow calls this."""
    with one_sentence():
        build_book(tier, profile)


if __name__ == "__main__":
    main()
