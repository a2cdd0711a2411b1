"""Where a figure or table comes from, in one small line below its caption: notebook, numbers, and the run that made it.

The line is made from the records beside the figure, ``figures/name.json`` and ``figures/name.run.json``. They are copied
into the built book, so its links need no network. A PDF has no such line.
"""

import json
import os
import shutil
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

ENDINGS = (".json", ".run.json", ".csv")  # of the files that are copied
FOLDER = "figures"  # in the source and in the built book


def watch_records(app: Sphinx, doctree: nodes.document) -> None:
    """A page is built again when a record of its figures and tables changes."""
    for _, record in _exhibits(app, doctree):
        for path in (record, record.with_suffix(".run.json")):
            app.env.note_dependency(str(path))


def add_origins(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the line below every figure and table that has a record; other formats than HTML stay as they are."""
    for node, record in _exhibits(app, doctree) if app.builder.format == "html" else []:
        html = nodes.raw("", line(record, up="../" * docname.count("/")), format="html")
        if isinstance(node, nodes.figure):
            node += nodes.legend("", html)
        else:
            node.parent.insert(node.parent.index(node) + 1, html)


def line(record: Path, up: str) -> str:
    """The line as HTML.

    Args:
        record: ``name.json``.
        up: the way from the page to the root of the built book.
    """
    about, run = (_read(path) for path in (record, record.with_suffix(".run.json")))
    here = f"{up}{FOLDER}/{record.stem}"
    parts = [_maker(about["notebook"], up), _link(f"{here}.json", "numbers", "settings, seeds, hashes and numbers")]
    if record.with_suffix(".csv").is_file():
        parts.append(_link(f"{here}.csv", "CSV", "the table with all digits"))
    if run:
        parts.append(_link(f"{here}.run.json", f"run of {run.get('time', '')[:10]}", _circumstances(about, run)))
    return f'<p class="origin">{" · ".join(parts)}</p>'


def copy_records(app: Sphinx, error: Exception | None) -> None:
    """Put the records and the tables' CSV beside the pages; a file whose bytes are right is not touched."""
    if error or app.builder.format != "html":
        return
    target = Path(app.outdir) / FOLDER
    target.mkdir(exist_ok=True)
    wanted = {path.name: path for ending in ENDINGS for path in (Path(app.srcdir) / FOLDER).glob(f"*{ending}")}
    for name, source in wanted.items():
        if not (target / name).is_file() or (target / name).read_bytes() != source.read_bytes():
            shutil.copyfile(source, target / name)
    for name in set(os.listdir(target)) - set(wanted):
        (target / name).unlink()


def _exhibits(app: Sphinx, doctree: nodes.document) -> list[tuple[nodes.Element, Path]]:
    """Figures and tables, each with its record."""
    found = [*doctree.findall(nodes.figure), *doctree.findall(nodes.table)]
    named = [(node, Path(app.srcdir) / FOLDER / f"{name}.json") for node in found for name in dict.fromkeys(node["names"] + node["ids"])]
    return list({id(node): (node, record) for node, record in named if record.is_file()}.values())


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _maker(name: str, up: str) -> str:
    """The notebook as this book ran it, or the command."""
    return _link(f"{up}_sources/{name}", "notebook", name) if name.endswith(".ipynb") else f"<code>{escape(name)}</code>"


def _link(target: str, text: str, title: str) -> str:
    return f'<a href="{escape(target, quote=True)}" title="{escape(title, quote=True)}">{escape(text)}</a>'


def _circumstances(about: dict, run: dict) -> str:
    """When and on what, in few words."""
    versions, device = run.get("versions", {}), run.get("device", {})
    named = [f"{package} {versions[package]}" for package in ("python", "torch") if package in versions]
    threads = device.get("threads")
    words = [f"{about['tier']} tier", *named, device.get("machine", ""), f"{threads} thread{'s' * (threads != 1)}" if threads else ""]
    return ", ".join(word for word in words if word)


def setup(app: Sphinx) -> dict:
    """Add the lines, and the files that they point at."""
    app.connect("doctree-read", watch_records)
    app.connect("doctree-resolved", add_origins)
    app.connect("build-finished", copy_records)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
