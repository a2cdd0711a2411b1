"""The three forms of a stored table say the same."""

import pandas as pd
import pytest

from iplkit.checks.tables import is_print_of, read_markdown, table_disagreements
from iplkit.records import Origin, save_table

TABLE = pd.DataFrame({"name": ["a|b", "c"], "x": [12.345678, float("nan")], "n": [3, 4], "word": ["0.25 ± 0.10", "none"], "met": [True, False]})


@pytest.fixture
def stored(tmp_path):
    """A stored table: its record's path, and the record in so far as it is read."""
    save_table(TABLE, "tab-x", Origin("notebooks/none.ipynb", out=str(tmp_path)))
    return tmp_path / "tab-x.json", {"files": {"tab-x.csv": "", "tab-x.md": ""}, "numbers": {"a|b": {"x": 12.3457, "n": 3}, "c": {"x": None, "n": 4}}}


def test_a_table_as_it_was_stored_agrees_with_itself(stored):
    assert list(table_disagreements(*stored)) == []


@pytest.mark.parametrize("ending, old, new, sentence", [
    (".md", "12.3", "12.4", "tab-x.md prints '12.4' where tab-x.csv holds '12.345678'"),
    (".md", "0.25 ±", "0.35 ±", "tab-x.md prints '0.35 ± 0.10' where tab-x.csv holds '0.25 ± 0.10'"),
    (".md", "| yes |", "| no |", "tab-x.md prints 'no' where tab-x.csv holds 'True'"),
    (".csv", "12.345678", "12.355678", "tab-x.md prints '12.3' where tab-x.csv holds '12.355678'"),
    (".csv", ",3,", ",5,", "tab-x.md prints '3' where tab-x.csv holds '5'"),
    (".md", "| c |", "| c | c |", "tab-x.md has other rows or columns than tab-x.csv"),
])  # fmt: skip
def test_a_change_in_one_form_is_found(stored, ending, old, new, sentence):
    file = stored[0].with_suffix(ending)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert sentence in list(table_disagreements(*stored))


def test_a_change_in_print_and_csv_is_found_in_the_record(stored):
    for ending, old, new in ((".csv", "12.345678", "13.345678"), (".md", "12.3", "13.3")):
        file = stored[0].with_suffix(ending)
        file.write_text(file.read_text().replace(old, new))
    assert list(table_disagreements(*stored)) == ["holds 12.3457 for 'x' of 'a|b', where tab-x.csv holds 13.3457"]


def test_numbers_with_names_of_their_own_say_nothing_about_cells(stored):
    path, record = stored
    assert list(table_disagreements(path, record | {"numbers": {"mean": 1.0, "c": 7, "a|b": {"other": 2}}})) == []


def test_a_figure_is_no_table(tmp_path):
    assert list(table_disagreements(tmp_path / "fig-x.json", {"files": {"fig-x.svg": ""}, "numbers": {}})) == []


@pytest.mark.parametrize("stored, printed", [("", "–"), ("True", "yes"), ("0.5", "0.500"), ("0.5", "0.50"), ("1234567.0", "1.23e+06"), ("word", "word"), ("7", "7")])
def test_a_printed_cell_has_a_form_that_the_printer_makes(stored, printed):
    assert is_print_of(stored, printed)


@pytest.mark.parametrize("stored, printed", [("", "0"), ("False", "yes"), ("0.5", "0.51"), ("nan", "3"), ("word", "Word"), ("7", "8")])
def test_another_cell_is_no_print_of_it(stored, printed):
    assert not is_print_of(stored, printed)


def test_a_bar_inside_a_cell_does_not_end_it(tmp_path):
    file = tmp_path / "t.md"
    file.write_text("| a | b |\n| :-- | :-- |\n| x \\| y | z |\n")
    assert read_markdown(file) == [["a", "b"], ["x | y", "z"]]
