"""A small exported generator, and the shipped one; a page with its live model in a real browser."""

import shutil

import browser
import pytest
import reader
import torch
from small_book import REPOSITORY
from small_models import small_generator

from iplkit import zoo
from iplkit.web.controls import Controls, Range
from iplkit.web.directions import shipped_edits
from iplkit.web.inline import inline_script
from iplkit.web.notebook import Live


@pytest.fixture(scope="session")
def shipped():
    return zoo.load("generator")


@pytest.fixture(scope="session")
def known(shipped):
    return shipped_edits(shipped.num_ws, ("one", "two"), 60, zoo.adapted_names())


@pytest.fixture(scope="session")
def controls(known):
    return Controls(known, seed=Range(0, 20, 1, 3, (7, 9)), second=Range(0, 20, 1, 4))


@pytest.fixture(scope="session")
def directions():
    return torch.randn(2, 512, generator=torch.Generator().manual_seed(5)) * 0.1


@pytest.fixture(scope="session")
def exported(tmp_path_factory, shipped, controls, directions):
    pytest.importorskip("onnx", reason="the graphs are written with the package onnx")
    from iplkit.web.export import export

    folder = tmp_path_factory.mktemp("live")
    export(folder, shipped, controls, directions)
    return folder


@pytest.fixture(scope="session")
def small():
    return small_generator()


@pytest.fixture(scope="session")
def live(shipped, controls, directions):
    return Live(controls, shipped, directions, {name: zoo.adapted(name) for name in controls.domains})


@pytest.fixture(scope="session")
def frames(live):
    """What a page shows before the model is started."""
    return live.page("A <portrait>.")


HEAD = '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Live</title><link rel="icon" href="data:,">'


@pytest.fixture(scope="session")
def site(tmp_path_factory, exported, frames):
    """A page as the book has it, without the book."""
    folder = tmp_path_factory.mktemp("site")
    scripts = folder / "_static" / "live"
    shutil.copytree(REPOSITORY / "book" / "_static", folder / "_static")
    shutil.copytree(exported, scripts / "data")
    (scripts / "inline.js").write_bytes(inline_script({p.relative_to(scripts).as_posix(): p for p in scripts.rglob("*") if p.is_file()}))
    (folder / "notebooks").mkdir()
    links = '<link rel="stylesheet" href="../_static/book.css"><script src="../_static/live/start.js?v=1"></script>'
    (folder / "notebooks" / "page.html").write_text(f'{HEAD}{links}<body class="bd-article">{frames._repr_html_()}')
    return folder


@pytest.fixture(scope="session")
def browser_page(tmp_path_factory):
    """Makes a page of a browser of its own; each is closed in the end."""
    program, pages = browser.find(), []
    if program is None:
        pytest.skip("a live page needs a browser; no Chromium is found here")

    def make():
        pages.append(browser.Page(program, tmp_path_factory.mktemp("profile")))
        pages[-1].window(1280, 900)
        return pages[-1]

    yield make
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def running(browser_page, site):
    """The page with the live model running."""
    page = browser_page()
    with browser.serve(site) as address:
        page.open(address + "notebooks/page.html")
        page.address = address
        reader.start(page)
        yield page


@pytest.fixture
def page(running):
    """The same, as it was at the start."""
    reader.press(running, "Reset")
    reader.settle(running)
    return running
