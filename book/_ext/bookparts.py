"""What the book needs from Sphinx and does not get elsewhere.

``{num}`name:key|format` `` prints a number from ``figures/name.json``, so that no measured number is typed by hand.
``{given}`18 of 18` `` prints what it says: a number that was not measured here, the constant of a definition or one that
a paper prints.
MathJax is copied into the book from a Python package, so that formulas need no network.
One script of sphinx-thebe, which breaks every page, is mended.
"""

import importlib.util
import json
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from iplkit.prose import look_up, parse_num
from iplkit.numbers import format_number

log = logging.getLogger(__name__)
MATHJAX = "_static/mathjax"
MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")


class GivenRole(SphinxRole):
    """A number that was not measured here, as it is typed."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Print the text."""
        return [nodes.inline(self.rawtext, self.text, classes=["num"])], []


class NumberRole(SphinxRole):
    """A number from a record: ``{num}`tab-x:row.column` `` or, with a format, ``{num}`tab-x:share|.1%` ``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Print the value; an unknown record or key is a warning, and so an error of the build."""
        name, key, form = parse_num(self.text)
        path = Path(self.env.srcdir) / "figures" / f"{name}.json"
        self.env.note_dependency(str(path))
        if not path.is_file():
            return self._unknown(f"there is no record {name}")
        value = look_up(json.loads(path.read_text(encoding="utf-8"))["numbers"], key)
        if value is None or isinstance(value, dict | list):
            return self._unknown(f"{name} holds no number {key!r}")
        classes = ["num", "words"] if isinstance(value, str) else ["num"]
        return [nodes.inline(self.rawtext, show(value, form), classes=classes)], []

    def _unknown(self, sentence: str) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        log.warning("%s", sentence, location=self.get_location(), type="num", subtype="unknown")
        return [nodes.inline(self.rawtext, "?")], []


def show(value, form: str) -> str:
    """A value as text, with a typographic minus and a thin space before a percent sign."""
    if isinstance(value, str):
        return value
    text = format(value, form) if form else format_number(value) if isinstance(value, float) else str(value)
    return text.replace("-", "\N{MINUS SIGN}").replace("%", "\N{NARROW NO-BREAK SPACE}%")


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax's scripts and fonts (2 MB) beside the pages."""
    if error or app.builder.format != "html":
        return
    source = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    for part in MATHJAX_PARTS:
        target = Path(app.outdir) / MATHJAX / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target)


def keep_one_constant(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """sphinx-thebe 0.3.1 declares one constant in two scripts, an error on every page; keep the first."""
    files, seen = context.get("script_files", []), False
    for file in list(files):
        body = str(getattr(file, "attributes", {}).get("body", ""))
        if re.search(r"const\s+THEBE_JS_URL", body):
            if seen:
                files.remove(file)
            seen = True


def setup(app: Sphinx) -> dict:
    """Register the roles and the two mends."""
    app.add_role("num", NumberRole())
    app.add_role("given", GivenRole())
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("build-finished", copy_mathjax)
    app.connect("html-page-context", keep_one_constant, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
