"""Figures and tables are found on pages with the names, captions and alt texts that they have there."""

import pytest
import small_book

from iplkit.exhibits import exhibits, page_paths, shown_as


@pytest.fixture
def book(tmp_path, monkeypatch):
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.chapter_with_figure("fig-a", caption="**A.** Words.", alt="A line.")})
    monkeypatch.chdir(folder)
    return folder


def test_a_figure_is_found_where_it_is_saved(book):
    (found,) = exhibits(book / "notebooks/00_one.ipynb")
    assert (found.label, found.shows, found.caption, found.alt) == ("fig-a", "fig-a", "**A.** Words.", "A line.")
    assert shown_as("fig-a") == found and shown_as("fig-b") is None


@pytest.mark.parametrize("fence", ["````", "::::"])
def test_a_table_is_found_where_it_is_included(book, fence):
    page = book / "book/intro.md"
    page.write_text(f"# Intro\n\n{fence}{{table}} **B.** Words.\n:name: tab-b\n```{{include}} ../figures/tab-c.md\n```\n{fence}\n")
    (found,) = exhibits(page)
    assert (found.label, found.shows, found.caption, found.alt) == ("tab-b", "tab-c", "**B.** Words.", None)


def test_a_table_that_is_written_on_its_page_shows_no_file(book):
    page = book / "book/intro.md"
    page.write_text("```{table} Letters\n:name: tab-d\n| a |\n| - |\n| b |\n```\n")
    assert [(found.label, found.shows) for found in exhibits(page)] == [("tab-d", "")]


def test_a_figure_directive_may_show_a_stored_file(book):
    page = book / "book/intro.md"
    page.write_text("```{figure} ../figures/fig-a.svg\n:name: fig-a\n:alt: A line.\n**A.**\nWords.\n```\n\n```{figure} other.png\n:alt: x\n```\n")
    stored, other = exhibits(page)
    assert (stored.shows, stored.caption, stored.alt, other.shows) == ("fig-a", "**A.** Words.", "A line.", "")


def test_pages_come_in_the_order_of_the_book(book):
    assert [path.name for path in page_paths()] == ["intro.md", "00_one.ipynb"]


def test_outside_of_a_book_nothing_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("iplkit.paths.root", lambda: tmp_path)
    assert shown_as("fig-a") is None
