"""Pages against records: what they quote, type, show, and who makes it."""

import pytest
import small_book

from iplkit.checks.pages import check_chapters, check_pages
from iplkit.checks.report import Report
from iplkit.checks.stored import read_records
from iplkit.exhibits import page_paths

FIGURE = {"caption": "**One.**", "alt": "A line."}


def wrong(book):
    report = Report()
    records = read_records(book / "figures", report)
    check_pages(page_paths(), records, report)
    check_chapters(page_paths(), records, report)
    return report.wrong


def chapter(book, **words):
    """The chapter draws one figure, and its record says with which words."""
    for name in ("tab-a.json", "tab-a.run.json", "tab-a.csv"):
        (book / "figures" / name).unlink()
    (book / "notebooks" / "00_one.ipynb").write_text(small_book.chapter_with_figure("fig-a", **words))
    small_book.write_record(book / "figures", "fig-a", {}, **FIGURE)


def table(book, text):
    (book / "book" / "intro.md").write_text(f"# Intro\n\n{text}\n")
    small_book.write_record(book / "figures", "tab-a", {"x": 1}, caption="**T.**")


def test_a_book_in_order_has_nothing_wrong(book):
    assert wrong(book) == []
    chapter(book)
    assert wrong(book) == []


def test_a_number_from_nowhere_and_a_number_typed_by_hand_are_wrong(book):
    (book / "book" / "intro.md").write_text("# Intro\n\nWe got {num}`tab-a:IPL.FID`, {num}`tab-a:IPL.KID`, {num}`tab-b:x`, and 12.34 too.\n")
    found = wrong(book)
    assert "book/intro.md: quotes IPL.KID of tab-a, which its record does not hold; correct the key, or record the number in notebooks/00_one.ipynb" in found
    assert "book/intro.md: quotes tab-b, which has no record in order; restore that, or correct the name" in found
    assert sum("typed by hand" in line and "role given" in line for line in found) == 1 and len(found) == 3


def test_a_picture_without_words_is_wrong(book):
    (book / "book" / "intro.md").write_text("# Intro\n\n![](a.png)\n\n```{figure} b.png\n:name: x\n```\n\n```{figure} c.png\n:alt: A face.\n```\n")
    assert [line.split(": ")[1].split(";")[0] for line in wrong(book)] == ["a.png has no alt text", "b.png has no alt text"]
    chapter(book, alt="")
    assert "notebooks/00_one.ipynb: fig-a has no alt text; say in words what it shows" in wrong(book)


@pytest.mark.parametrize("words, sentence", [
    ({"caption": "**Two.**"}, "fig-a has another caption than it was printed with; undo that, or run iplkit regenerate 00_one --keep"),
    ({"alt": "A bar."}, "fig-a has another alt text than it was printed with; undo that, or run iplkit regenerate 00_one --keep"),
    ({"caption": ""}, "fig-a has no caption; write one"),
    ({"label": "fig-b"}, "shows fig-a under the name fig-b; correct one of them"),
])  # fmt: skip
def test_a_figure_keeps_the_words_it_was_printed_with(book, words, sentence):
    chapter(book, **words)
    assert wrong(book) == [f"notebooks/00_one.ipynb: {sentence}"]


def test_a_caption_of_another_figure_is_wrong(book):
    chapter(book, caption="**Other.**")
    small_book.write_record(book / "figures", "tab-o", {}, caption="**Other.**", notebook="iplkit zoo check")
    assert wrong(book) == ["notebooks/00_one.ipynb: fig-a has the caption of tab-o; put each below its own"]


@pytest.mark.parametrize("text, sentence", [
    ("```{table} **T.**\n:name: tab-a\n| x |\n| - |\n| 1 |\n```", "prints tab-a as a copy; include ../figures/tab-a.md"),
    ("````{table} **T.**\n:name: tab-a\n```{include} ../figures/tab-b.md\n```\n````", "shows tab-b under the name tab-a; correct one of them"),
    ("````{table} **T.**\n:name: tab-b\n```{include} ../figures/tab-b.md\n```\n````", "shows tab-b, which has no record in order; restore it, or make it"),
    ("````{table} **T.** {ref}`x`\n:name: tab-a\n```{include} ../figures/tab-a.md\n```\n````", "a block begins with a backtick in its title: **T.** {ref}`x`; open it with colons"),
])  # fmt: skip
def test_a_table_is_included_from_its_record_and_not_copied(book, text, sentence):
    table(book, text)
    assert f"book/intro.md: {sentence}" in wrong(book)


def test_a_table_that_is_no_result_may_be_written_on_its_page(book):
    table(book, "```{table} Letters\n:name: tab-letters\n| x |\n| - |\n| N |\n```")
    assert wrong(book) == []


def test_a_figure_that_is_not_printed_is_wrong(book):
    for file in (book / "figures").iterdir():
        file.unlink()
    assert wrong(book) == ["notebooks/00_one.ipynb: makes tab-a, which is not printed; run iplkit regenerate 00_one --keep"]


def test_a_record_names_the_chapter_that_makes_it(book):
    small_book.write_record(book / "figures", "tab-a", {}, notebook="notebooks/01_two.ipynb")
    small_book.write_record(book / "figures", "tab-z", {})
    small_book.write_record(book / "figures", "tab-y", {}, notebook="iplkit zoo check")
    assert [line.split(";")[0] for line in wrong(book)] == [
        "figures/tab-a.json: says that notebooks/01_two.ipynb made it, but notebooks/00_one.ipynb does",
        "figures/tab-z.json: says that notebooks/00_one.ipynb made it, which makes no tab-z",
    ]
