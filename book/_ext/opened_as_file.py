"""Pages opened as files: the theme preloads icon fonts, which a browser refuses there with an error.

A script draws the icons without them. Where scripts are not allowed the stylesheet asks for the fonts itself.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


def drop_font_preloads(app: Sphinx, error: Exception | None) -> None:
    """Take the preloads out of every page that was written."""
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if (kept := PRELOAD.sub("", page)) != page:
            path.write_text(kept, encoding="utf-8")


def setup(app: Sphinx) -> dict:
    """Register the mend."""
    app.connect("build-finished", drop_font_preloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
