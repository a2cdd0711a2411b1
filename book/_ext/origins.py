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


def add_origins(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line below every figure and table that has a record."""
    for node in [*doctree.findall(nodes.figure), *doctree.findall(nodes.table)]:
        record = next((path for name in node["names"] + node["ids"] if (path := _record(app, name)).is_file()), None)
        if record is None:
            continue
        for path in (record, record.with_suffix(".run.json")):
            app.env.note_dependency(str(path))
        html = line(record, up="../" * app.env.docname.count("/"))
        if isinstance(node, nodes.figure):
            node += nodes.legend("", nodes.raw("", html, format="html"))
        else:
            node.parent.insert(node.parent.index(node) + 1, nodes.raw("", html, format="html"))


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
        parts.append(_link(f"{here}.csv", "table", "with all digits, as CSV"))
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


def _record(app: Sphinx, name: str) -> Path:
    return Path(app.srcdir) / FOLDER / f"{name}.json"


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
    """Add the lines while pages are read, and the files at the end."""
    app.connect("doctree-read", add_origins)
    app.connect("build-finished", copy_records)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
