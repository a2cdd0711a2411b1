"""What readers see against what is stored: executed chapters, and the built pages."""

import base64
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, relative
from iplkit.checks.tables import read_markdown
from iplkit.stage import first_page, stage_folder

MIMES = {"image/png": ".png", "image/svg+xml": ".svg", "text/markdown": ".md"}
FIGURE = re.compile(r'<figure[^>]* id="(?P<name>fig-[\w-]+)".*?<img[^>]* src="(?P<src>[^"]+)"', re.DOTALL)
TABLE = re.compile(r'<table[^>]* id="(?P<name>tab-[\w-]+)".*?</table>', re.DOTALL)
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


def check_executed(report: Report) -> None:
    """A figure or table in an executed chapter is the stored file, byte for byte."""
    for chapter in sorted((paths.root() / "_build" / "run").glob("*/notebooks/*.ipynb")):
        report.checked += 1
        for name, ending, content in _outputs(chapter):
            stored = chapter.parent.parent / "figures" / f"{name}{ending}"
            if not stored.is_file() or stored.read_bytes() != content:
                report.wrong.append(f"{relative(chapter)}: shows another {name} than {relative(stored)}; run iplkit regenerate {chapter.stem} --force")


def check_built(report: Report) -> None:
    """The built pages show the stored figures and tables: those of the run, where there is one, and else the printed ones."""
    html = first_page().parent
    for page in sorted(html.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        shown = dict.fromkeys([*_pictures(text, page), *_tables(text)])
        report.checked += bool(shown)
        if other := [name for name, same in shown if not same]:
            more = f" and {len(other) - 1} more" * (len(other) > 1)
            report.wrong.append(f"{relative(page)}: shows another {other[0]}{more} than is stored; run iplkit book")


def stored(name: str, ending: str) -> Path:
    """The file that a page built now would show: of the run that was staged, or in print."""
    staged = stage_folder() / "figures" / f"{name}.json"
    try:
        about = json.loads(staged.read_text(encoding="utf-8"))
        run = paths.run_folder(about["tier"], about["profile"]) / "figures" / f"{name}{ending}"
    except (OSError, ValueError, KeyError, TypeError):
        run = staged
    return run if run.is_file() and run.suffix == ending else paths.root() / "figures" / f"{name}{ending}"


def _outputs(chapter: Path) -> Iterator[tuple[str, str, bytes]]:
    """(name, ending, content) of every stored figure and table that a chapter shows."""
    for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]:
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            name = "".join(data.get("text/plain", ""))
            mime = next((mime for mime in MIMES if mime in data), None)
            if mime and re.fullmatch(r"(fig|tab)-[\w-]+", name):
                content = "".join(data[mime])
                yield name, MIMES[mime], base64.b64decode(content) if mime == "image/png" else content.encode()


def _pictures(text: str, page: Path) -> Iterator[tuple[str, bool]]:
    for match in FIGURE.finditer(text):
        file = page.parent / unescape(match["src"])
        source = stored(match["name"], file.suffix)
        if source.is_file():
            yield match["name"], file.is_file() and file.read_bytes().strip() == source.read_bytes().strip()


def _tables(text: str) -> Iterator[tuple[str, bool]]:
    """Tables are compared by the numbers in them, since Markdown may have dressed the words."""
    for match in TABLE.finditer(text):
        if (source := stored(match["name"], ".md")).is_file():
            cells = [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in CELL.findall(match[0])]
            yield match["name"], _digits(cells) == _digits(cell for row in read_markdown(source) for cell in row)


def _digits(cells) -> list[str]:
    return [number for cell in cells for number in re.findall(r"\d+(?:[.,]\d+)*", cell)]
