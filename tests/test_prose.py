"""Prose is read as a reader does: quoted numbers, typed numbers and pictures are found, code and formulas are not prose."""

import pytest
import small_book

from iplkit.prose import Page, look_up, paragraphs, parse_num


def typed(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    return Page(page).typed_by_hand()


@pytest.mark.parametrize("text", [
    "The rate is `lr = 0.0016` and $\\lambda = 0.25$, at 64 px, in version 1.0.4, with Python `3.11`.",
    "They report an FID of {given}`84` {cite}`gal2022nada`, and train {given}`12 of 18` rows.",
    "After ±, half of the $95\\,\\%$ interval; one of two is enough; in {num}`tab-a:n` of 13 domains.",
    "FID over 5000 samples of 10 domains; see Fig. 1.1, Eq. (3), chapter 3.2 and the file x_0.25.png.",
    "```python\nx = 12.34\n```",
    "```{math}\n0.25\n```\n\n$$\n0.25\n$$",
    "{num}`tab-a:IPL.FID|.2f` of {num}`tab-a:n`",
    "<!-- 12.34 --> [link](a_12.34.html)",
])  # fmt: skip
def test_settings_formulas_and_given_numbers_may_be_typed(tmp_path, text):
    assert typed(tmp_path, text) == []


@pytest.mark.parametrize("text", [
    "It is 0.25 here.", "It is 0.5, half.", "98 % of them", "97.5% of them", "98 percent", "an FID of 84", "KID = 3", "```{note}\nIt is 0.25 here.\n```",
    "| a | 12.47 |", "a gain of 12 ± 3", "It wins in 9 of 13 domains.", "It wins in nine of the thirteen.", "A value of $0.25$.", "A value of `0.25`.",
    "We get $\\mathrm{FID} = 27$.", "As {cite}`guo2023ipl` found, it is 0.25.", "```{note} At 0.25\nWords.\n```", "```{table} At 0.25\n```",
])  # fmt: skip
def test_what_looks_measured_may_not_be_typed(tmp_path, text):
    assert len(typed(tmp_path, text)) == 1


@pytest.mark.parametrize("where", ["caption", "alt"])
def test_captions_and_alt_texts_are_prose(tmp_path, where):
    words = {"caption": "**One.**", "alt": "A line."} | {where: "It ends at 0.25."}
    page = tmp_path / "page.ipynb"
    page.write_text(small_book.chapter_with_figure("fig-a", **words))
    assert Page(page).typed_by_hand() == ["It ends at 0.25."]


def test_a_title_with_a_backtick_breaks_a_block_that_backticks_open(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```{table} See {ref}`x`\n:name: t\n```\n\n:::{table} See {ref}`x`\n:name: u\n:::\n\n```{num}\n```\n")
    assert Page(page).broken_blocks() == ["See {ref}`x`"]


def test_numbers_are_found_by_their_dotted_key():
    numbers = {"a": {"b.c": 1, "d": {"e": 2}}, "f g": 3, "list": [1]}
    assert [look_up(numbers, key) for key in ("a.b.c", "a.d.e", "f g", "a.x", "h")] == [1, 2, 3, None, None]
    assert parse_num("tab-a: x.y |.1%") == ("tab-a", "x.y", ".1%")


def test_prose_inside_notes_is_read_and_code_inside_them_is_not():
    text = "````{note}\nRead me.\n\n```python\nskip me\n```\n\nMe too.\n````\nEnd."
    assert [p.strip() for p in paragraphs(text)] == ["Read me.", "Me too.", "End."]
