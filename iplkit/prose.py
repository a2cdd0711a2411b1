"""What a reader sees of a page: its prose, its quoted numbers, its pictures; code, formulas and plumbing left out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iplkit.exhibits import exhibits
from iplkit.sources import read_notebook

FENCE = re.compile(r"^\s*(?P<fence>`{3,}|:{3,}|~{3,})\s*(?:\{(?P<name>[\w:-]+)\})?")
BROKEN = re.compile(r"^[ \t]*`{3,}\{[\w-]+\}(?P<title>[^`\n]*`[^\n]*)$", re.MULTILINE)
PROSE_BLOCKS = {  # directives whose body is text for the reader
    "admonition", "attention", "caution", "danger", "dropdown", "epigraph", "error", "exercise", "glossary", "hint",
    "important", "list-table", "margin", "note", "seealso", "sidebar", "solution", "table", "tip", "topic", "warning",
}  # fmt: skip
REFERENCE = r"\b(?:Sec|Section|Eq|Equation|Fig|Figure|Table|Appendix|[Cc]hapter|[Vv]ersion|Python|CC BY)s?\.?\s+`?\d[\d.]*`?"  # numbers that are names
NUMBER = re.compile(r"(?<![`}])(?P<marks>`+|\$)\s*[-+\u2212\u00b1]?(?P<number>\d[\d.,]*(?:\s*(?:\\,)?\s*\\?%)?)\s*(?P=marks)")  # code or a formula that is one number
LEVEL = "$95\\,\\%$"  # the level of every interval in this book, and so a constant
NOT_PROSE = re.compile(
    r"\{[\w:+-]+\}`[^`]*`"  # a role
    r"|(?P<ticks>`+).+?(?P=ticks)"  # code
    r"|\$\$.+?\$\$|\$[^$\n]+\$"  # a formula
    r"|<!--.*?-->|\]\([^)]*\)|<https?:[^>]*>|https?://\S+|^\([\w-]+\)=$|" + REFERENCE,  # comment, link target, label
    re.DOTALL | re.MULTILINE,
)
NUM_ROLE = re.compile(r"(?<!`)\{num\}`(?P<text>[^`]+)`")  # `{num}` in code speaks of the role
SCORE = r"\b(?:FID|SIFID|KID|CMMD|AUC|SCS|IS|ID|LPIPS|PPL)\b"
SCORED_FORMULA = re.compile(rf"\$[^$\n]*{SCORE}[^$\n]*?(?:=|\\approx|\\sim)\s*\d[^$\n]*\$")  # $\mathrm{FID} = 27$
COUNT = r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen)"
MEASURED = (
    re.compile(r"(?<![\w.,/-])\d+\.\d+(?![\w.]*\d)"),  # 0.5, 12.47
    re.compile(r"(?<![\w.,/-])\d+(?:\.\d+)?\s?(?:\\,)?\\?%|\b\d+ per ?cent\b"),  # 98 %
    re.compile(r"\u00b1\s*\d"),  # 12 ± 3
    re.compile(rf"\b{COUNT} (?:out )?of (?:the |all )?{COUNT}\b"),  # 9 of 13
    re.compile(SCORE + r"(?:\s*(?:=|of|is|was|near|about|:))?\s*\d+(?:\.\d+)?(?!\d|\.\d|,\d|\s*(?:samples|images|pictures|renders|px|k\b))"),
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
        """Numbers that look measured and stand in prose, captions or alt texts as digits, each with its surroundings.

        A measured number belongs into a record. A setting is code or a formula with its name, `lr = 0.0016`. The
        constant of a definition, and what a paper prints, carry the role ``{given}``.
        """
        prose = [paragraph for text in self.texts() for paragraph in paragraphs(text)]
        shown = [text for found in exhibits(self.path) for text in (found.caption, found.alt or "") if found.alt is not None]
        return [found for text in (*prose, *shown) for found in _measured(text)]

    def broken_blocks(self) -> list[str]:
        """First lines of blocks that are opened with backticks and hold one, which Markdown does not read as a block."""
        return [match["title"].strip() for text in self.texts() for match in BROKEN.finditer(text)]

    def without_alt(self) -> list[str]:
        """Pictures that say nothing to a reader who cannot see them."""
        cells = [found.shows for found in exhibits(self.path) if found.alt == "" and self.path.suffix == ".ipynb"]
        return [problem for text in self.texts() for problem in _pictures_without_alt(text)] + cells


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
            kept += ["", line[match.end() :] if stack[-1][1] else ""]  # the title of a block
        elif all(prose for _, prose in stack) and not re.match(r"^\s*:[\w-]+:", line):
            kept.append(line)
            continue
        kept.append("")
    return [block for block in re.split(r"\n\s*\n", "\n".join(kept)) if block.strip()]


def _measured(paragraph: str) -> Iterator[str]:
    looked_through = NUMBER.sub(lambda match: f" {match['number']} ", paragraph.replace(LEVEL, " "))
    prose = NOT_PROSE.sub(" ", looked_through)
    yield from (match[0] for match in SCORED_FORMULA.finditer(paragraph))
    seen = set()
    for pattern in MEASURED:
        for match in pattern.finditer(prose):
            if not seen & set(range(*match.span())):
                seen |= set(range(*match.span()))
                yield " ".join(prose[max(match.start() - 30, 0) : match.end() + 15].split())


def _pictures_without_alt(text: str) -> Iterator[str]:
    for match in re.finditer(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)", text):
        if not match["alt"].strip():
            yield match["target"]
    for match in re.finditer(r"^\s*(?:`{3,}|:{3,})\s*\{(?:figure|image)\}\s*(?P<target>\S+)(?P<options>(?:\n\s*:[\w-]+:.*)*)", text, re.MULTILINE):
        if not re.search(r":alt:\s*\S", match["options"]):
            yield match["target"]
