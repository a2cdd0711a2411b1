"""The built pages of the book, turned into text that can be printed."""

import base64
import io
import posixpath
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from iplkit.filmstrip import frames_of

HEADING = re.compile("^h[1-6]$")
NEEDS_A_SCREEN = "a.headerlink, script, noscript, .toctree-wrapper, details.hide, .live-offer, .sd-summary-state-marker, .cell[class*=tag_answer], p.origin"
STRIP = "In the web edition a slider shows these pictures one at a time."
LIVE = "In the web edition the generator itself runs at this place, in the reader's browser. Here are pictures that it drew before."


@dataclass
class Chapter:
    """One page of the book.

    Args:
        name: its path without ending, such as ``notebooks/00_world``.
        part: caption of the part that it opens, or empty.
        article: its text.
    """

    name: str
    part: str
    article: Tag

    @property
    def key(self) -> str:
        """Its name as the beginning of an id."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())

    @property
    def title(self) -> str:
        """Its heading as text, with its number."""
        return words(self.article.h1)


def read_chapters(html: Path, toc: dict) -> list[Chapter]:
    """The pages of a built book in its order.

    Args:
        html: folder of the built book.
        toc: what ``_toc.yml`` says.
    """
    entries = [(toc["root"], "")]
    for part in toc.get("parts", []):
        names = [entry["file"] for entry in part["chapters"]]
        entries += zip(names, [part.get("caption", ""), *[""] * (len(names) - 1)], strict=True)
    return [Chapter(name, part, _soup(html, name).select_one("article.bd-article")) for name, part in entries]


def formulas(html: Path, root: str) -> str:
    """The scripts that draw formulas, as the pages have them, for a page at the top of the book."""
    found = [script for script in _soup(html, root).find_all("script") if "MathJax" in script.text or "mathjax" in script.get("src", "")]
    for script in found:
        if "src" in script.attrs:
            script["src"] = _place(root, script["src"].split("?")[0])
    return "".join(map(str, found))


def for_paper(chapter: Chapter, known: dict[str, str], code: bool, sure: bool) -> None:
    """Take out of a page what needs a screen; the chapter is changed.

    Args:
        chapter: the page.
        known: name -> key of all pages.
        code: keep the code that the page shows; what it folds is left out in any case.
        sure: every assertion of the notebook was made when it ran.
    """
    article = chapter.article
    for tag in article.select(NEEDS_A_SCREEN):
        tag.decompose()
    if not code:
        _hide_code(article, sure)
    for strip in article.select(".filmstrip"):
        _unroll(strip, LIVE if strip.find_parent(class_="live") else STRIP)
    for folded in article.select("details"):
        _unfold(folded)
    for margin in article.select("aside.margin"):
        margin.name = "div"
    for text in article.select("figure[id^=fig-] .caption-text, table[id^=tab-] .caption-text"):
        text.append(" ")
        text.append(fragment(f'<code class="record">{text.find_parent(["figure", "table"])["id"]}</code>'))
    for meaning in article.select("dl.glossary > dd"):
        _hold_entry(meaning)
    for text in article.select("p"):
        if words(text).endswith(":"):
            text["class"] = [*text.get("class", []), "leads"]  # to what follows
    for formula in article.select("span.math"):
        _hold_punctuation(formula)
    for section in article.select("section"):
        if section.find(HEADING, recursive=False) and len(section.find_all(True, recursive=False)) == 1:
            section.decompose()  # it held the list of pages
    _make_unique(chapter, known)


def words(tag: Tag) -> str:
    """The text of a tag in one line."""
    return " ".join(tag.get_text().split())


def fragment(html: str) -> Tag:
    """The first tag of some HTML."""
    return BeautifulSoup(html, "html.parser").contents[0]


def _soup(html: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def _hide_code(article: Tag, sure: bool) -> None:
    """Leave out code and what only its reader understands; a check is told in a sentence."""
    checks = [(section, _assertions(section)) for section in article.select("section") if _heading(section) == "Check"]
    for tag in article.select(".cell_input, .cell_output > .output.text_plain"):
        tag.decompose()
    for cell in article.select("div.cell"):
        if not cell.get_text(strip=True) and not cell.select("img, svg, .filmstrip"):
            cell.decompose()
    for section, count in checks:
        held = ", and the run that made these pages passed all of them" if sure else ""
        section.find(HEADING).insert_after(fragment(f"<p>Here the notebook asserts in code what this chapter claims: {count} assertions{held}.</p>"))


def _heading(section: Tag) -> str:
    heading = section.find(HEADING, recursive=False)
    return words(heading).lstrip("0123456789. ") if heading else ""


def _assertions(section: Tag) -> int:
    return sum(len(re.findall(r"^\s*assert\b", code.get_text(), re.MULTILINE)) for code in section.select(".cell_input pre"))


def _unroll(strip: Tag, sentence: str) -> None:
    """Show all frames of a strip at once, each with its label; a line of them for each thing that moves."""
    lines = {}
    for title, label, picture in frames_of(str(strip)):
        frame = io.BytesIO()
        picture.save(frame, "PNG")
        data = base64.b64encode(frame.getvalue()).decode()
        lines.setdefault(title, []).append(f'<span><img src="data:image/png;base64,{data}" alt=""/><small>{escape(label)}</small></span>')
    shown = "".join(f"<p>{escape(title)}</p>" * bool(title) + f"<div>{''.join(frames)}</div>" for title, frames in lines.items())
    strip.replace_with(fragment(f'<div class="frames"><p>{sentence}</p>{shown}</div>'))


def _unfold(folded: Tag) -> None:
    folded.name = "div"
    if folded.summary is not None:
        folded.summary["class"] = "unfolded"
        folded.summary.name = "p"


def _hold_entry(meaning: Tag) -> None:
    """Keep the names of an entry and its meaning on one page."""
    names = []
    while (name := (names[-1] if names else meaning).find_previous_sibling()) is not None and name.name == "dt":
        names.append(name)
    entry = meaning.wrap(fragment('<div class="entry"></div>'))
    for name in names:
        entry.insert(0, name.extract())


def _hold_punctuation(formula: Tag) -> None:
    """Keep a bracket before a formula, and a comma or a bracket behind it, on its line."""
    before, after = formula.previous_sibling, formula.next_sibling
    opened = re.search(r"[(\[\u2018\u201c]+$", before) if isinstance(before, str) else None
    closed = re.match(r"[.,;:!?)\]\u2019\u201d]+", after) if isinstance(after, str) else None
    if opened or closed:
        box = formula.wrap(fragment('<span class="tight"></span>'))
    if opened:
        box.insert(0, opened[0])
        before.replace_with(before[: opened.start()])
    if closed:
        box.append(closed[0])
        after.replace_with(after[closed.end() :])


def _make_unique(chapter: Chapter, known: dict[str, str]) -> None:
    """Ids and links that are unique in the whole book, and pictures found from its top folder."""
    for tag in chapter.article.find_all(id=True):
        tag["id"] = f"{chapter.key}--{tag['id']}"
    for link in chapter.article.find_all("a", href=True):
        place = urlsplit(link["href"])
        if place.scheme or place.netloc:
            continue
        name = _place(chapter.name, place.path).removesuffix(".html") if place.path else chapter.name
        if name in known:
            link["href"] = f"#{known[name]}--{place.fragment}" if place.fragment else f"#{known[name]}"
        else:
            link.unwrap()
    for picture in chapter.article.find_all("img", src=True):
        if not picture["src"].startswith("data:"):
            picture["src"] = _place(chapter.name, picture["src"])


def _place(page: str, target: str) -> str:
    """A path on a page, seen from the top of the book."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
