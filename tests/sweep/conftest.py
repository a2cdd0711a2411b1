"""One small ruler for all tests; a repository to write into."""

import pytest
import small_book
from small_ruler import new_ruler


@pytest.fixture(scope="session")
def ruler():
    return new_ruler()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small repository; the test stands in it."""
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.notebook("# One")})
    monkeypatch.chdir(folder)
    return folder
