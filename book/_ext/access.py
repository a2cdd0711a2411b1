"""Pages for readers who use a keyboard or a screen reader: three mends of what other packages write.

Each is a piece of HTML and what it should be. ``tests/book`` looks at the result with axe-core.
"""

from docutils import nodes
from sphinx.application import Sphinx

MENDS = {
    # myst-nb hides what the line says ("Show the code") behind a second name
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # docutils: a list whose entries are no list items
    'role="doc-biblioentry"': 'role="listitem"',
    # pandas: the empty corner of a table is no header
    "<th></th>": "<td></td>",
}


def mend(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Mend a page's article before it is put into the theme."""
    body = context.get("body")
    for wrong, right in MENDS.items():
        body = body and body.replace(wrong, right)
    context["body"] = body


def setup(app: Sphinx) -> dict:
    """Mend every page."""
    app.connect("html-page-context", mend, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
