"""Figures and tables as the pages show them: which stored file stands under which name, caption and alt text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from iplkit import paths
from iplkit.sources import read_notebook

SAVED = re.compile(r"""\bsave_figure\(.*?["'](?P<name>(?:fig|readme)-[\w-]+)["']""", re.DOTALL)
TABLE = re.compile(r"^(?P<fence>`{3,}|:{3,})\{table\}[ \t]*(?P<caption>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"^(?P<fence>`{3,}|:{3,})\{figure\}[ \t]*(?P<target>\S+)[ \t]*\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r"\{include\}[ \t]*(?P<target>\S+)")
OPTION = re.compile(r"^[ \t]*:(?P<key>[\w-]+):[ \t]*(?P<value>[^\n]*)$", re.MULTILINE)


@dataclass(frozen=True)
class Exhibit:
    """One figure or table on a page.

    Args:
        page: the notebook or Markdown file.
        label: the name that the text refers to; empty if it has none.
        shows: name of the stored figure or table; empty for a table that is written on the page itself.
        caption: as written, in Markdown.
        alt: for readers who do not see the figure; None for a table.
    """

    page: Path
    label: str
    shows: str
    caption: str
    alt: str | None


def page_paths() -> list[Path]:
    """Every page of the table of contents, in order."""
    toc = yaml.safe_load((paths.root() / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"], *(entry["file"] for part in toc.get("parts", []) for entry in part["chapters"])]
    found = [paths.root() / f"{name}{ending}" for name in names for ending in (".ipynb", ".md")]
    return [path for path in found if path.is_file()]


def exhibits(page: Path) -> list[Exhibit]:
    """The figures and tables of a page that have a caption or show a stored file, in order."""
    if page.suffix != ".ipynb":
        return list(_of_text(page, page.read_text(encoding="utf-8")))
    found = []
    for cell in read_notebook(page)["cells"]:
        found += _of_text(page, cell["source"]) if cell["cell_type"] == "markdown" else _of_cell(page, cell)
    return found


def shown_as(name: str) -> Exhibit | None:
    """How the book shows a stored figure or table; None if no page shows it."""
    if not (paths.root() / "_toc.yml").is_file():
        return None
    return next((found for page in page_paths() for found in exhibits(page) if found.shows == name), None)


def _of_cell(page: Path, cell: dict) -> Iterator[Exhibit]:
    """The figure that a code cell saves last, which is the one it can show."""
    saved = list(SAVED.finditer(cell["source"])) if cell["cell_type"] == "code" else []
    if saved:
        look = cell["metadata"].get("mystnb", {})
        figure, image = look.get("figure", {}), look.get("image", {})
        yield Exhibit(page, figure.get("name", ""), saved[-1]["name"], figure.get("caption", "").strip(), image.get("alt", "").strip())


def _of_text(page: Path, text: str) -> Iterator[Exhibit]:
    for match in TABLE.finditer(text):
        included = INCLUDE.search(match["body"])
        yield Exhibit(page, _options(match["body"]).get("name", ""), Path(included["target"]).stem if included else "", match["caption"].strip(), None)
    for match in FIGURE.finditer(text):
        options = _options(match["body"])
        stored = "figures" in Path(match["target"]).parts
        caption = " ".join(OPTION.sub("", match["body"]).split())
        yield Exhibit(page, options.get("name", ""), Path(match["target"]).stem if stored else "", caption, options.get("alt", ""))


def _options(body: str) -> dict[str, str]:
    return {match["key"]: match["value"].strip() for match in OPTION.finditer(body)}
