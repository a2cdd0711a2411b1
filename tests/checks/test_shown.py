"""What readers see is what is stored, in executed chapters and on built pages."""

import base64
import json

import pytest
import small_book

from iplkit.checks.report import Report
from iplkit.checks.shown import check_built, check_executed

RUN, HTML = "_build/run/world-laptop", "_build/stage/_build/html"
PICTURE = b"\x89PNG one"


def output(name, **data):
    return {"cell_type": "code", "source": "", "metadata": {}, "outputs": [{"output_type": "execute_result", "data": data | {"text/plain": name}}]}


@pytest.fixture
def chapter(book):
    """An executed chapter and what it stored."""
    (book / RUN / "notebooks").mkdir(parents=True)
    (book / RUN / "figures").mkdir()
    stored = {"fig-p.png": PICTURE, "fig-s.svg": b"<svg/>\n", "tab-t.md": b"| a |\n| - |\n| 1 |\n"}
    for name, content in stored.items():
        (book / RUN / "figures" / name).write_bytes(content)
    cells = [
        output("fig-p", **{"image/png": base64.b64encode(PICTURE).decode()}), output("fig-s", **{"image/svg+xml": ["<svg/>\n"]}),
        output("tab-t", **{"text/markdown": "| a |\n| - |\n| 1 |\n"}), output("<a widget>", **{"text/markdown": "7"}),
    ]  # fmt: skip
    (book / RUN / "notebooks" / "00_one.ipynb").write_text(json.dumps({"cells": cells}))
    return book


@pytest.mark.parametrize("name", ["fig-p.png", "fig-s.svg", "tab-t.md"])
def test_an_executed_chapter_shows_the_stored_files(chapter, name):
    report = Report()
    check_executed(report)
    assert report.wrong == [] and report.checked == 1
    (chapter / RUN / "figures" / name).write_bytes(b"other")
    check_executed(report)
    assert report.wrong == [f"{RUN}/notebooks/00_one.ipynb: shows another {name[:5]} than {RUN}/figures/{name}; run iplkit regenerate 00_one --force"]


@pytest.fixture
def page(book):
    """A built page with a figure and a table."""
    for name, content in {"fig-p.png": PICTURE, "tab-t.md": b"| a | b |\n| - | - |\n| *x* | 1.25 |\n"}.items():
        (book / "figures" / name).write_bytes(content)
    (book / HTML / "_images").mkdir(parents=True)
    (book / HTML / "_images" / "p.png").write_bytes(PICTURE)
    page = book / HTML / "book" / "one.html"
    page.parent.mkdir()
    figure = '<figure class="x" id="fig-p">\n<img alt="a" src="../_images/p.png" /></figure>'
    page.write_text(f'{figure}<table class="table" id="tab-t"><tr><th>a</th><th>b</th></tr><tr><td><em>x</em></td><td><p>1.25</p></td></tr></table><table id="tab-own"><tr><td>3</td></tr></table>')
    return page


def check():
    report = Report()
    check_built(report)
    return report.wrong


def test_a_built_page_shows_the_printed_files_where_there_is_no_run(page):
    assert check() == []


def test_a_stale_table_or_picture_on_a_built_page_is_wrong(page):
    page.write_text(page.read_text().replace("1.25", "1.35"))
    (page.parent.parent / "_images" / "p.png").write_bytes(b"before")
    assert check() == [f"{HTML}/book/one.html: shows another fig-p and 1 more than is stored; run iplkit book"]


def test_a_built_page_shows_the_files_of_the_run_that_was_staged(page, book):
    small_book.write_record(book / "_build/stage/figures", "tab-t", {})
    (book / RUN / "figures").mkdir(parents=True)
    (book / RUN / "figures" / "tab-t.md").write_text("| a | b |\n| - | - |\n| x | 7.5 |\n")
    assert len(check()) == 1
    page.write_text(page.read_text().replace("1.25", "7.5"))
    assert check() == []
