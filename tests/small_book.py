"""A repository in small, for tests of the workflow: real tools, tiny notebooks."""

import json
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PARAMETERS = 'PROFILE: str = "world"  # which models\nTIER: str = "laptop"  # how much\nOUT: str = ""  # where figures go'
SAVE = """import hashlib, json, pathlib
def save_table(text, name, origin):
    folder = pathlib.Path(OUT)
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("csv", "md"):
        (folder / f"{name}.{ending}").write_text(text)
    (folder / f"{name}.run.json").write_text("{}")
    files = {f"{name}.csv": hashlib.sha256(text.encode()).hexdigest()}
    (folder / f"{name}.json").write_text(json.dumps({"files": files}))
"""  # a notebook's own table, with the seal of a real one and without the seconds that torch takes to import


def notebook(*cells: str, parameters: str | None = PARAMETERS) -> str:
    """A notebook's JSON; a cell that begins with ``# `` is Markdown."""
    made = [] if parameters is None else [_cell("code", parameters, ["parameters"])]
    made += [_cell("markdown" if text.startswith(("# ", "text: ")) else "code", text.removeprefix("text: "), []) for text in cells]
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def _cell(kind: str, source: str, tags: list[str]) -> dict:
    extra = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {"tags": tags} if tags else {}, "source": source, **extra}


def chapter_with_figure(name: str, *, label: str | None = None, caption: str = "**One.**", alt: str = "A line.") -> str:
    """A notebook that saves one figure and shows it with these words."""
    made = json.loads(notebook("# One", f'save_figure(fig, "{name}", origin)'))
    made["cells"][-1]["metadata"] = {"mystnb": {"figure": {"name": label or name, "caption": caption}, "image": {"alt": alt}}}
    return json.dumps(made)


def make(folder: Path, notebooks: dict[str, str]) -> Path:
    """A repository with one page and the given notebooks (name -> JSON), around the real package."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "figures").mkdir()
    (folder / "book").mkdir()
    (folder / "iplkit").symlink_to(REPOSITORY / "iplkit")
    for name in ("Snakefile", "_config.yml"):
        shutil.copyfile(REPOSITORY / name, folder / name)
    for name in ("_ext", "_static", "_templates"):
        shutil.copytree(REPOSITORY / "book" / name, folder / "book" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(REPOSITORY / "book" / "references.bib", folder / "book" / "references.bib")
    (folder / "book" / "intro.md").write_text("# Intro\n\nWords and $\\z$.\n")
    chapters = "".join(f"      - file: notebooks/{name}\n" for name in notebooks)
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: book/intro\nparts:\n  - caption: All\n    chapters:\n{chapters}")
    for name, content in notebooks.items():
        (folder / "notebooks" / f"{name}.ipynb").write_text(content)
    return folder


def own_package(folder: Path) -> Path:
    """Give a small repository a package of its own, which a test can change; the weights are links."""
    (folder / "iplkit").unlink()
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(REPOSITORY / "iplkit", folder / "iplkit", ignore=ignore)
    for weights in (REPOSITORY / "iplkit" / "shipped").rglob("*.safetensors"):
        (folder / weights.relative_to(REPOSITORY)).symlink_to(weights)
    return folder


def write_record(folder: Path, name: str, numbers: dict, **more) -> Path:
    """A record with its table, as `iplkit.records` writes them."""
    from iplkit.files import sha256

    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{name}.csv"
    table.write_text("a,b\n1,2\n")
    record = {"name": name, "notebook": "notebooks/00_one.ipynb", "profile": "world", "tier": "laptop", "config": {}, "seeds": []}
    record |= {"inputs": {}, "files": {table.name: sha256(table)}, "caption": None, "alt": None, "tolerance": 0.01, "numbers": numbers} | more
    return seal(folder / f"{name}.json", json.dumps(record))


def seal(path: Path, text: str, **run) -> Path:
    """Write a record, and the record of its run beside it."""
    from iplkit.files import sha256

    path.write_text(text)
    path.with_suffix(".run.json").write_text(json.dumps({"record": sha256(path)} | run))
    return path
