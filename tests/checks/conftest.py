"""A small book in order, to put something wrong into."""

import pytest
import small_book


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book whose one chapter prints one table, and does not show it; the test stands in it."""
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.notebook('save_table(frame, "tab-a", origin)')})
    small_book.write_record(folder / "figures", "tab-a", {"IPL": {"FID": 12.34}})
    monkeypatch.chdir(folder)
    return folder
