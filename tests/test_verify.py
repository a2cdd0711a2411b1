"""`iplkit verify` finds what is wrong, lists what is aged, and leaves honest text alone."""

import json

import pytest
import small_book

from iplkit.prose import Page, look_up, paragraphs, parse_num
from iplkit.verify import differences, verify


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book whose one chapter prints one table."""
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.notebook('save_table(frame, "tab-a", origin)')})
    small_book.write_record(folder / "figures", "tab-a", {"IPL": {"FID": 12.34}})
    monkeypatch.chdir(folder)
    return folder


def test_a_book_in_order_has_nothing_wrong(book):
    report = verify()
    assert report.wrong == [] and report.aged == [] and report.checked == 3


def test_other_bytes_than_the_recorded_ones_are_wrong(book):
    (book / "figures" / "tab-a.csv").write_text("a,b\n1,3\n")
    assert verify().wrong[0] == "figures/tab-a.json: describes other bytes than those of tab-a.csv"


def test_a_missing_file_and_a_file_without_a_record_are_wrong(book):
    (book / "figures" / "tab-a.csv").unlink()
    (book / "figures" / "fig-b.png").write_bytes(b"1")
    wrong = verify().wrong
    assert "figures/tab-a.json: describes tab-a.csv, which is missing" in wrong
    assert "figures/fig-b.png: no record says what made it" in wrong


@pytest.mark.parametrize("text, sentence", [("{", "is not a record"), ("{}", "lacks config"), ("[]", "lacks config")])
def test_something_else_than_a_record_is_wrong(book, text, sentence):
    (book / "figures" / "tab-a.json").write_text(text)
    assert any(sentence in line for line in verify().wrong)


def test_a_recomputation_beyond_its_tolerance_is_wrong(book):
    run = book / "_build/run/world-laptop/figures"
    small_book.write_record(run, "tab-a", {"IPL": {"FID": 12.4}})
    assert verify().wrong == [], "within one percent"
    small_book.write_record(run, "tab-a", {"IPL": {"FID": 13.0}})
    assert verify().wrong == ["figures/tab-a.json: IPL.FID was printed as 12.34 and came out as 13.0"]


def test_a_recomputation_of_another_tier_is_not_compared(book):
    small_book.write_record(book / "_build/run/world-smoke/figures", "tab-a", {"IPL": {"FID": 99.0}}, tier="smoke")
    assert verify().wrong == []


def test_other_settings_seeds_or_names_are_wrong():
    one = {"config": {"n": 1}, "seeds": [0], "notebook": "a", "tolerance": 0.1, "numbers": {"x": 1.0, "y": None}}
    assert differences(one, one) == []
    assert differences(one, one | {"config": {"n": 2}, "seeds": [1]}) == [
        "was printed with other config than the code has now",
        "was printed with other seeds than the code has now",
    ]
    assert "hold different numbers: z" in differences(one, one | {"numbers": {"x": 1.0, "y": None, "z": 1}})[0]
    assert differences(one, one | {"numbers": {"x": 1.0, "y": 2.0}}) == ["y was printed as None and came out as 2.0"]


def test_changed_code_makes_a_record_aged_and_not_wrong(book):
    (book / "figures" / "tab-a.run.json").write_text(json.dumps({"code": {"iplkit/errors.py": "0" * 16}}))
    report = verify()
    assert report.wrong == [] and report.aged == ["figures/tab-a.json: iplkit/errors.py changed since"]
    small_book.write_record(book / "_build/run/world-laptop/figures", "tab-a", {"IPL": {"FID": 12.34}})
    assert verify().aged == [], "it has just been computed again"


def test_a_number_from_nowhere_and_a_number_typed_by_hand_are_wrong(book):
    (book / "book" / "intro.md").write_text("# Intro\n\nWe got {num}`tab-a:IPL.FID`, {num}`tab-a:IPL.KID`, {num}`tab-b:x`, and 12.34 too.\n")
    wrong = verify().wrong
    assert "book/intro.md: quotes KID" not in str(wrong)
    assert "book/intro.md: quotes IPL.KID of tab-a, which its record does not hold" in wrong
    assert "book/intro.md: quotes tab-b, which has no record" in wrong
    assert sum("typed by hand" in line for line in wrong) == 1 and len(wrong) == 3


def test_a_picture_without_words_is_wrong(book):
    (book / "book" / "intro.md").write_text("# Intro\n\n![](a.png)\n\n```{figure} b.png\n:name: x\n```\n\n```{figure} c.png\n:alt: A face.\n```\n")
    assert [line.split(": ")[1] for line in verify().wrong] == ["a.png has no alt text", "b.png has no alt text"]
    (book / "notebooks" / "00_one.ipynb").write_text(small_book.notebook('save_table(f, "tab-a", o)', 'save_figure(fig, "fig-a", origin)'))
    assert "notebooks/00_one.ipynb: fig-a has no alt text" in verify().wrong


def test_a_figure_that_is_not_printed_is_wrong(book):
    for file in (book / "figures").iterdir():
        file.unlink()
    assert verify().wrong == ["notebooks/00_one.ipynb: makes tab-a, which is not printed; run iplkit regenerate --keep"]


@pytest.mark.parametrize("text", [
    "The rate is `0.0016` and $\\lambda = 0.25$, at 64 px, in version 1.0.4.",
    "They report an FID of 84 {cite}`gal2022nada`.",
    "FID over 5000 samples of 10 domains; see Fig. 1.1 and the file x_0.25.png.",
    "```python\nx = 12.34\n```",
    "```{math}\n0.25\n```\n\n$$\n0.25\n$$",
    "{num}`tab-a:IPL.FID|.2f` of {num}`tab-a:n`",
    "<!-- 12.34 --> [link](a_12.34.html)",
])  # fmt: skip
def test_settings_formulas_and_cited_numbers_may_be_typed(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert Page(page).typed_by_hand() == []


@pytest.mark.parametrize("text", ["It is 0.25 here.", "98 % of them", "97.5% of them", "an FID of 84", "KID = 3", "```{note}\nIt is 0.25 here.\n```", "| a | 12.47 |"])
def test_what_looks_measured_may_not_be_typed(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert len(Page(page).typed_by_hand()) == 1


def test_numbers_are_found_by_their_dotted_key():
    numbers = {"a": {"b.c": 1, "d": {"e": 2}}, "f g": 3, "list": [1]}
    assert [look_up(numbers, key) for key in ("a.b.c", "a.d.e", "f g", "a.x", "h")] == [1, 2, 3, None, None]
    assert parse_num("tab-a: x.y |.1%") == ("tab-a", "x.y", ".1%")


def test_prose_inside_notes_is_read_and_code_inside_them_is_not():
    text = "````{note}\nRead me.\n\n```python\nskip me\n```\n\nMe too.\n````\nEnd."
    assert [p.strip() for p in paragraphs(text)] == ["Read me.", "Me too.", "End."]
