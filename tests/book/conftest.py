"""The book in small, served, and a browser; its extensions are imported as Sphinx imports them, by their file's name."""

import sys
import tempfile
from pathlib import Path

import browser
import page_checks
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    if browser.find() is None:
        pytest.skip("the pages are looked at in a browser; no Chromium is found here")
    from sample_book import build

    return build(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="session")
def address(book):
    with browser.serve(book) as address:
        yield address


@pytest.fixture(scope="session")
def page():
    if browser.find() is None:
        pytest.skip("a page is looked at in a browser; no Chromium is found here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = browser.Page(browser.find(), Path(profile))
        yield page
        page.close()


@pytest.fixture(scope="session")
def axe():
    script = page_checks.axe_script()
    if script is None:
        pytest.skip("what a reader with a screen reader meets is checked by axe-core; make install brings it")
    return script
