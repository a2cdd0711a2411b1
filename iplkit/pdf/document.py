"""The document around the chapters: title page, contents, lists, solutions; and its page numbers."""

import html
from collections.abc import Iterable

from bs4 import Tag

from iplkit.pdf.assemble import Chapter, fragment, words

OF_EVERY_CHAPTER = {"Predict", "Experiment", "Check", "Exercises", "Summary", "What we see"}  # headings that are not listed
UNKNOWN = "000"  # stands where a page number will be


def document(chapters: list[Chapter], config: dict, edition: str, head: str) -> str:
    """The whole book as one HTML page.

    Args:
        chapters: prepared by `iplkit.pdf.assemble.for_paper`.
        config: what ``_config.yml`` says.
        edition: a line about what was printed, for the title page.
        head: tags for the page's head.
    """
    chapters[0].article.h1.string = "Preface"  # on the web it bears the title of the book
    solutions = _move_solutions(chapters)
    pages = [_opening(chapter) for chapter in chapters]
    first, *others = pages
    listed = [_contents(chapters, solutions), _list("Figures", chapters, "figure"), _list("Tables", chapters, "table")]
    body = [_title_page(config, edition), *listed, first, *others, solutions]
    style = "".join(_running_head(chapter.key, chapter.title) for chapter in chapters) + _running_head("solutions", "Solutions")
    title = html.escape(config["title"])
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}<style>{style}</style></head><body>{"".join(map(str, body))}</body></html>'


def page_number(target: str) -> str:
    """A place for the number of the page where an id stands; filled in when it is known."""
    return f'<b class="page" data-to="{target}">{UNKNOWN}</b>'


def _title_page(config: dict, edition: str) -> str:
    title, author, right = (html.escape(str(config[key])) for key in ("title", "author", "copyright"))
    return f'<header class="title"><h1>{title}</h1><p class="subtitle">Text-driven adaptation of generators, taken apart and put together again</p><p class="author">{author}</p><p class="edition">{html.escape(edition)}</p><p class="rights">{right}</p></header>'


def _opening(chapter: Chapter) -> str:
    """A chapter on a page of its own, under the caption of the part that it opens."""
    part = f'<p class="part">{html.escape(chapter.part)}</p>' if chapter.part else ""
    return f'<div class="chapter {chapter.key}" id="{chapter.key}">{part}{chapter.article}</div>'


def _running_head(key: str, title: str) -> str:
    said = title.replace("\\", "").replace('"', "'")
    return f'.{key}{{page:{key}}}@page {key}{{@top-right{{content:"{said}"}}}}'


def _contents(chapters: list[Chapter], solutions: str) -> str:
    lines = []
    for chapter in chapters:
        if chapter.part:
            lines.append(f'<p class="part">{html.escape(chapter.part)}</p>')
        lines.append(_line(1, chapter.key, chapter.title))
        for heading in chapter.article.select("h2, h3" if chapter.title[0].isdigit() else "h2"):
            if words(heading).lstrip("0123456789. ") not in OF_EVERY_CHAPTER:
                lines.append(_line(int(heading.name[1]), heading.find_parent("section")["id"], words(heading)))
    if solutions:
        lines.append(_line(1, "solutions", "Solutions"))
    return f'<nav class="contents"><h1>Contents</h1>{"".join(lines)}</nav>'


def _line(level: int, target: str, title: str) -> str:
    return f'<a class="line level{level}" href="#{target}"><span>{html.escape(title)}</span><i></i>{page_number(target)}</a>'


def _list(title: str, chapters: Iterable[Chapter], kind: str) -> str:
    """Where the numbered figures or tables are, by the claim that opens the caption."""
    lines = []
    for chapter in chapters:
        for tag in chapter.article.find_all(kind, id=True):
            number, text = (tag.select_one(f".caption-{part}") for part in ("number", "text"))
            if number is not None:
                claim = words(text.find(["strong", "b"]) or text).split(". ")[0].rstrip(".")
                lines.append(_line(2, tag["id"], f"{words(number)}  {claim}"))
    return f'<nav class="contents short"><h1>{title}</h1>{"".join(lines)}</nav>' if lines else ""


def _move_solutions(chapters: list[Chapter]) -> str:
    """Take the solutions out of the chapters, to the end; each exercise says on which page its solution is."""
    parts = []
    for chapter in chapters:
        found = chapter.article.select("div.solution")
        if found:
            parts.append(f"<h2>{html.escape(chapter.title)}</h2>")
        parts += [str(_moved(solution)) for solution in found]
    return f'<div class="chapter solutions" id="solutions"><h1>Solutions</h1>{"".join(parts)}</div>' if parts else ""


def _moved(solution: Tag) -> Tag:
    exercise = solution.find_previous("div", class_="exercise")
    solution.extract()
    title = words(exercise.select_one(".caption-number"))
    solution.select_one(".admonition-title").replace_with(fragment(f'<p class="admonition-title"><a href="#{exercise["id"]}">{title}</a></p>'))
    exercise.append(fragment(f'<p class="where"><a href="#{solution["id"]}">Solution on page {page_number(solution["id"])}</a></p>'))
    return solution
