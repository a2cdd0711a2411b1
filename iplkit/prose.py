"""What a reader sees of a page: its prose, its quoted numbers, its pictures; code, formulas and plumbing left out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iplkit.sources import read_notebook

FENCE = re.compile(r"^\s*(?P<fence>`{3,}|:{3,}|~{3,})\s*(?:\{(?P<name>[\w:-]+)\})?")
PROSE_BLOCKS = {  # directives whose body is text for the reader
    "admonition", "attention", "caution", "danger", "dropdown", "epigraph", "error", "exercise", "glossary", "hint",
    "important", "list-table", "margin", "note", "seealso", "sidebar", "solution", "table", "tip", "topic", "warning",
}  # fmt: skip
NOT_PROSE = re.compile(
    r"\{[\w:+-]+\}`[^`]*`"  # a role
    r"|(?P<ticks>`+).+?(?P=ticks)"  # code
    r"|\$\$.+?\$\$|\$[^$\n]+\$"  # a formula
    r"|<!--.*?-->|\]\([^)]*\)|<https?:[^>]*>|https?://\S+|^\([\w-]+\)=$",  # comment, link target, label
    re.DOTALL | re.MULTILINE,
)
NUM_ROLE = re.compile(r"(?<!`)\{num\}`(?P<text>[^`]+)`")  # `{num}` in code speaks of the role
MEASURED = (
    re.compile(r"(?<![\w.,/-])\d+\.\d{2,}(?![\w.])"),  # 0.25, 12.47
    re.compile(r"(?<![\w.,/-])\d+(?:\.\d+)?\s?%"),  # 98 %
    re.compile(r"\b(?:FID|SIFID|KID|AUC|SCS)\b(?:\s*(?:=|of|is|was|near|about|:))?\s*\d+(?:\.\d+)?(?!\d|\.\d|,\d|\s*(?:samples|images|pictures|renders|px|k\b))"),
)


@dataclass(frozen=True)
class Page:
    """One page of the book: a notebook or a Markdown file."""

    path: Path

    def texts(self) -> list[str]:
        """Its Markdown, one string a cell."""
        if self.path.suffix != ".ipynb":
            return [self.path.read_text(encoding="utf-8")]
        return [cell["source"] for cell in read_notebook(self.path)["cells"] if cell["cell_type"] == "markdown"]

    def quoted(self) -> list[tuple[str, str]]:
        """(record, key) of every number it takes from a record."""
        return [parse_num(m["text"])[:2] for text in self.texts() for m in NUM_ROLE.finditer(text)]

    def typed_by_hand(self) -> list[str]:
        """Numbers that look measured and stand in the prose as digits, each with its surroundings.

        A measured number belongs into a record; a setting is code or a formula; a number from a paper stands in a
        paragraph with its citation.
        """
        return [found for text in self.texts() for paragraph in paragraphs(text) for found in _measured(paragraph)]

    def without_alt(self) -> list[str]:
        """Pictures that say nothing to a reader who cannot see them."""
        found = [problem for text in self.texts() for problem in _pictures_without_alt(text)]
        if self.path.suffix == ".ipynb":
            found += list(_cells_without_alt(self.path))
        return found


def parse_num(text: str) -> tuple[str, str, str]:
    """``tab-x:row.column|.1f`` -> ("tab-x", "row.column", ".1f"); the format may be missing."""
    place, _, form = text.partition("|")
    name, _, key = place.strip().partition(":")
    return name.strip(), key.strip(), form.strip()


def look_up(numbers: dict, key: str):
    """A value in nested numbers by its dotted key; None if there is none.

    Names may hold dots themselves: the longest one that fits is taken at each level.
    """
    if key in numbers:
        return numbers[key]
    for name in sorted(numbers, key=len, reverse=True):
        if isinstance(numbers[name], dict) and key.startswith(f"{name}."):
            return look_up(numbers[name], key[len(name) + 1 :])
    return None


def paragraphs(text: str) -> list[str]:
    """The prose of a Markdown text in paragraphs, without blocks of code, formulas, and options of directives."""
    kept, stack = [], []
    for line in text.splitlines():
        match = FENCE.match(line)
        if match and stack and match["fence"][0] == stack[-1][0][0] and len(match["fence"]) >= len(stack[-1][0]) and not match["name"] and line.strip() == match["fence"]:
            stack.pop()
        elif match and (not stack or stack[-1][1]):
            stack.append((match["fence"], match["name"] in PROSE_BLOCKS))
        elif all(prose for _, prose in stack) and not re.match(r"^\s*:[\w-]+:", line):
            kept.append(line)
            continue
        kept.append("")
    return [block for block in re.split(r"\n\s*\n", "\n".join(kept)) if block.strip()]


def _measured(paragraph: str) -> Iterator[str]:
    if "{cite" in paragraph:
        return
    prose = NOT_PROSE.sub(" ", paragraph)
    seen = set()
    for pattern in MEASURED:
        for match in pattern.finditer(prose):
            if match.end() not in seen:
                seen.add(match.end())
                yield " ".join(prose[max(match.start() - 30, 0) : match.end() + 15].split())


def _pictures_without_alt(text: str) -> Iterator[str]:
    for match in re.finditer(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)", text):
        if not match["alt"].strip():
            yield match["target"]
    for match in re.finditer(r"^\s*(?:`{3,}|:{3,})\s*\{(?:figure|image)\}\s*(?P<target>\S+)(?P<options>(?:\n\s*:[\w-]+:.*)*)", text, re.MULTILINE):
        if not re.search(r":alt:\s*\S", match["options"]):
            yield match["target"]


def _cells_without_alt(path: Path) -> Iterator[str]:
    """Cells that show a saved figure and carry no ``mystnb.image.alt``."""
    for cell in read_notebook(path)["cells"]:
        if cell["cell_type"] == "code" and re.search(r"\bsave_figure\(", cell["source"]):
            if not cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "").strip():
                name = re.search(r"""["'](fig-[\w-]+)["']""", cell["source"])
                yield name[1] if name else "a saved figure"
