"""`iplkit verify` looks everywhere: at records, pages, cells, runs and readers' pages; and leaves honest work alone."""

import json

import pytest
import small_book

from iplkit.verify import verify


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book whose one chapter prints one figure."""
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.chapter_with_figure("fig-a")})
    small_book.write_record(folder / "figures", "fig-a", {"IPL": {"FID": 12.34}}, caption="**One.**", alt="A line.")
    monkeypatch.chdir(folder)
    return folder


def test_a_book_in_order_has_nothing_wrong(book):
    report = verify()
    assert report.wrong == [] and report.aged == [] and report.checked > 3


def test_a_readme_is_a_page_too(book):
    (book / "README.md").write_text("# Kit\n\n![](a.png)\n\nIt wins in 12 of 13 domains.\n")
    assert [line.split(":")[0] for line in verify().wrong] == ["README.md", "README.md"]


@pytest.mark.parametrize("file, content, where", [
    ("figures/fig-b.svg", "<svg/>", "figures/fig-b.svg"),
    ("figures/full/x.png", "1", "figures/full/x.png"),
    ("figures/full/cells/x.json", "{", "figures/full/cells/x.json"),
    ("_build/run/world-laptop/cells/x.json", "{", "_build/run/world-laptop/cells/x.json"),
    ("_build/run/world-smoke/figures/fig-a.json", "{", "_build/run/world-smoke/figures/fig-a.json"),
    ("book/intro.md", "It is 0.25.", "book/intro.md"),
])  # fmt: skip
def test_something_wrong_is_found_wherever_it_is(book, file, content, where):
    (book / file).parent.mkdir(parents=True, exist_ok=True)
    (book / file).write_text(content)
    wrong = verify().wrong
    assert wrong and {line.split(": ")[0] for line in wrong} == {where}


def test_what_is_aged_is_not_wrong(book):
    path = book / "figures" / "fig-a.json"
    small_book.seal(path, path.read_text(), code={"iplkit/errors.py": "0" * 16})
    report = verify()
    assert report.wrong == [] and len(report.aged) == 1


def test_an_executed_chapter_and_a_built_page_are_looked_at(book):
    chapter = book / "_build/run/world-laptop/notebooks/00_one.ipynb"
    chapter.parent.mkdir(parents=True)
    chapter.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": [{"data": {"image/svg+xml": "<svg/>", "text/plain": "fig-a"}}]}]}))
    page = book / "_build/stage/_build/html/one.html"
    page.parent.mkdir(parents=True)
    (book / "figures" / "fig-a.svg").write_text("<svg>1</svg>")
    page.write_text('<figure id="fig-a"><img src="none.svg"></figure>')
    names = {line.split(": ")[0] for line in verify().wrong}
    assert {"_build/run/world-laptop/notebooks/00_one.ipynb", "_build/stage/_build/html/one.html"} <= names
