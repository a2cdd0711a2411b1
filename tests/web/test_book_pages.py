"""The built pages: their buttons name files that exist, and a word that is searched for is found, without a network."""

import re
from pathlib import Path

import browser
import pytest
import small_book
import yaml

from iplkit.stage import build_book

CONFIG = yaml.safe_load((small_book.REPOSITORY / "_config.yml").read_text())
BUTTON = re.compile(r'href="(https://(?:mybinder\.org|colab\.research\.google\.com)/[^"]+)"')
COLAB = re.compile(r"https://colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/main/(?P<path>\S+)")
BINDER = re.compile(r"https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+/main\?urlpath=lab/tree/(?P<path>\S+)")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of two chapters and a page with Colab's lines."""
    chapters = {"a": small_book.notebook("# One", "text: The oracle of zebras."), "b": small_book.notebook("# Two", "text: Nothing.")}
    folder = small_book.make(tmp_path_factory.mktemp("pages") / "book", chapters)
    (folder / "book" / "intro.md").write_text("# Intro\n\n```{colab-setup}\n```\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GITHUB_SERVER_URL", "https://github.com")
        patch.setenv("GITHUB_REPOSITORY", "somebody/a-fork")
        build_book()
    return folder


def pages(folder: Path) -> list[Path]:
    return sorted((folder / "_build" / "stage" / "_build" / "html").rglob("*.html"))


def buttons(folder: Path) -> dict[str, list[str]]:
    return {page.stem: BUTTON.findall(page.read_text(encoding="utf-8")) for page in pages(folder)}


def test_every_chapter_has_a_button_for_binder_and_one_for_colab(book):
    found = buttons(book)
    for name in "ab":
        assert [bool(BINDER.fullmatch(url)) + 2 * bool(COLAB.fullmatch(url)) for url in sorted(found.pop(name))] == [2, 1]
    assert not any(found.values()), "other pages cannot be run"


@pytest.mark.parametrize("top", ["the small book", "this book"])
def test_every_button_names_a_file_of_the_repository(book, top):
    folder = book if top == "the small book" else small_book.REPOSITORY
    found = [url for urls in buttons(folder).values() for url in urls]
    if not found:
        pytest.skip("this book is not built here; the small one is")
    for url in found:
        match = COLAB.fullmatch(url) or BINDER.fullmatch(url)
        assert match and (folder / match["path"]).is_file(), url


def test_a_fork_that_builds_itself_is_where_its_buttons_lead(book):
    text = "".join(page.read_text(encoding="utf-8") for page in pages(book))
    assert "/somebody/a-fork/" in text and CONFIG["repository"]["url"] not in text
    intro = (book / "_build/stage/_build/html/book/intro.html").read_text()
    assert "!git clone --depth 1 https://github.com/somebody/a-fork\n%pip install -q -e a-fork" in intro


def test_the_address_of_the_repository_stands_in_one_place():
    address = CONFIG["repository"]["url"].removeprefix("https://")
    folders = ("book", "notebooks", "iplkit", ".github", ".binder")
    files = [path for folder in folders for path in (small_book.REPOSITORY / folder).rglob("*") if path.suffix in (".md", ".ipynb", ".py", ".yml", ".txt", ".js")]
    files += [path for path in small_book.REPOSITORY.iterdir() if path.suffix in (".md", ".yml", ".toml", ".cff")]
    assert [path.name for path in files if address in path.read_text(encoding="utf-8")] == ["_config.yml"]


def test_binder_installs_this_package_with_the_versions_that_were_tried():
    folder = small_book.REPOSITORY / ".binder"
    lines = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    (constraint,) = [line.removeprefix("-c ") for line in lines if line.startswith("-c ")]
    assert (folder / constraint).resolve() == small_book.REPOSITORY / "requirements.txt" and "-e .[book]" in lines
    assert re.fullmatch(r"python-3\.\d+\n", (folder / "runtime.txt").read_text())


def test_a_word_typed_into_the_search_finds_its_chapter_and_asks_no_other_host(book, tmp_path):
    if browser.find() is None:
        pytest.skip("the search runs in a browser; no Chromium is found here")
    page = browser.Page(browser.find(), tmp_path)
    try:
        with browser.serve(book / "_build/stage/_build/html") as address:
            page.open(address + "search.html")
            page.run("document.querySelector('.bd-search-container input').focus()")
            page.send("Input.insertText", text="zebras")
            page.run("document.activeElement.form.requestSubmit()")
            page.until("document.querySelectorAll('#search-results li a').length > 0")
            assert page.run("document.querySelector('#search-results li a').getAttribute('href')").startswith("notebooks/a.html")
            assert page.run("[...document.querySelectorAll('#search-results li')].length") == 1
            assert page.outside(address) == []
    finally:
        page.close()
