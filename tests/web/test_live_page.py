"""The live page in a real browser: it draws what torch draws, obeys every control, and asks no other host."""

import json
import shutil

import browser
import numpy as np
import pytest
from small_book import REPOSITORY

from iplkit import zoo
from iplkit.images import to_uint8
from iplkit.web.controls import Edit
from iplkit.web.notebook import Live
from iplkit.weights import sha256

pytest.importorskip("onnx", reason="the graphs are written with the package onnx")
if browser.find() is None:
    pytest.skip("a live page needs a browser; no Chromium is found here", allow_module_level=True)
NAME = zoo.adapted_names()[-1]
HEAD = '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Live</title><link rel="icon" href="data:,">'
LEVELS = 2  # of 255


@pytest.fixture(scope="module")
def live(shipped, controls, directions):
    return Live(controls, shipped, directions, {name: zoo.adapted(name) for name in controls.domains})


@pytest.fixture(scope="module")
def site(tmp_path_factory, exported, live, controls):
    """A page as the book has it, without the book."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(REPOSITORY / "book" / "_static", folder / "_static")
    shutil.copytree(exported, folder / "_static" / "live" / "data")
    start = controls.start()
    frames = live.page({"start": start, "other": Edit(9, 0.8, 4, 10, "", 1, {})}, "A portrait.")._repr_html_()
    (folder / "notebooks").mkdir()
    links = '<link rel="stylesheet" href="../_static/book.css"><script src="../_static/live/start.js?v=1"></script>'
    (folder / "notebooks" / "page.html").write_text(f'{HEAD}{links}<body class="bd-article">{frames}')
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    page = browser.Page(browser.find(), tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def page(chromium, site):
    """The page with the live model running."""
    with browser.serve(site) as address:
        chromium.window(1280, 900)
        chromium.open(address + "notebooks/page.html")
        chromium.run("document.querySelector('.live-offer button').click()")
        chromium.until("!!document.querySelector('.live').live")
        chromium.address = address
        yield chromium


@pytest.fixture(autouse=True)
def reset(request):
    if "page" in request.fixturenames:
        page = request.getfixturevalue("page")
        page.run("[...document.querySelectorAll('.live-buttons button')].find(b => b.textContent === 'Reset').click()")
        settle(page)


def settle(page):
    page.until("!document.querySelector('.live').live.busy")


def pixels(page) -> np.ndarray:
    settle(page)
    script = "(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])(document.querySelector('.live canvas'))"
    return np.array(page.run(script), np.int32).reshape(64, 64, 4)[..., :3]


def torchs(live, edit) -> np.ndarray:
    return to_uint8(live.draw(edit))[0].permute(1, 2, 0).numpy().astype(np.int32)


def move(page, label, value):
    """Move the control with that label, as an input event does."""
    found = page.run(
        f"(l => {{ const e = l.control; e.value = {json.dumps(value)}; e.dispatchEvent(new Event(e.tagName === 'SELECT' ? 'change' : 'input')); return true; }})"
        f"([...document.querySelectorAll('.live-panel label')].find(l => l.textContent === {json.dumps(label)}))"
    )
    assert found
    settle(page)


def place(page, label) -> dict:
    """Where a slider is on the screen."""
    found = f"[...document.querySelectorAll('.live-panel label')].find(l => l.textContent === {json.dumps(label)}).control"
    page.run(f"{found}.scrollIntoView({{block: 'center'}})")
    return page.run(f"(r => ({{x: r.x, y: r.y, w: r.width, h: r.height}}))({found}.getBoundingClientRect())")


def test_the_first_picture_is_torchs(page, live, controls):
    assert np.abs(pixels(page) - torchs(live, controls.start())).max() <= LEVELS


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 0, "psi": 1.2},
        {"seed": 20, "psi": 0.05},
        {"second": 9, "crossover": 4},
        {"second": 9, "crossover": 0, "psi": 0.55},
        {"offsets": {"one": {"coarse": 1.5, "row 2": -0.7}, "two": {"middle": -1.2, "fine": 2.0, "row 9": 0.4}}},
        *({"domain": name, "share": share} for name in zoo.adapted_names() for share in (0.35, 1)),
        {"domain": NAME, "share": 0.6, "seed": 12, "crossover": 5, "offsets": {"one": {"row 7": 1.1}}},
    ],
    ids=str,
)
def test_every_setting_is_torchs(page, live, controls, change):
    edit = controls.read(controls.start().asdict() | change)
    page.run(f"document.querySelector('.live').live.load({json.dumps(json.dumps(edit.asdict()))})")
    assert np.abs(pixels(page) - torchs(live, edit)).max() <= LEVELS


@pytest.mark.parametrize(("label", "value"), [("seed", 9), ("truncation ψ", 0.3), ("from row", 3), ("coarse 0–3", 1.5), ("middle 4–7", 1.5), ("fine 8–9", 2), ("row 5", -2), ("generator", NAME)])
def test_every_control_moves_the_picture(page, label, value):
    before = pixels(page)
    move(page, label, value)
    assert not np.array_equal(before, pixels(page))


def test_a_fine_slider_runs_only_the_last_graph_and_a_coarse_one_all(page):
    move(page, "fine 8–9", 1)
    assert page.run("document.querySelector('.live').live.last.ran") == [64]
    move(page, "coarse 0–3", 1)
    assert page.run("document.querySelector('.live').live.last.ran") == [4, 8, 16, 32, 64]


def test_the_arrow_keys_move_a_slider_by_its_step(page, live, controls):
    page.run("document.querySelector('.live-knob input').focus()")
    before = pixels(page)
    page.key("ArrowRight")
    settle(page)
    assert page.run("document.querySelector('.live').live.edit.seed") == controls.seed.start + 1
    assert not np.array_equal(before, pixels(page))


def test_the_mouse_drags_a_slider(page):
    before, box = pixels(page), place(page, "coarse 0–3")
    page.drag(box["x"] + box["w"] / 2, box["x"] + 0.9 * box["w"], box["y"] + box["h"] / 2)
    settle(page)
    assert page.run("document.querySelector('.live').live.edit.offsets.one.coarse") > 1
    assert not np.array_equal(before, pixels(page))


def test_a_finger_moves_a_slider_on_a_phone_and_nothing_scrolls_sideways(page):
    page.window(390, 844, phone=True)
    try:
        before, box = pixels(page), place(page, "truncation ψ")
        page.touch(box["x"] + 0.2 * box["w"], box["y"] + box["h"] / 2)
        settle(page)
        assert page.run("document.querySelector('.live').live.edit.psi") < 0.5
        assert not np.array_equal(before, pixels(page))
        assert page.run("document.documentElement.scrollWidth") <= 390
    finally:
        page.window(1280, 900)


def test_reset_brings_the_first_picture_back(page, live, controls):
    move(page, "seed", 9)
    move(page, "coarse 0–3", 2)
    move(page, "generator", NAME)
    page.run("[...document.querySelectorAll('.live-buttons button')].find(b => b.textContent === 'Reset').click()")
    assert np.abs(pixels(page) - torchs(live, controls.start())).max() <= LEVELS


def test_a_saved_edit_loads_again_and_a_wrong_one_says_why(page, live, controls):
    move(page, "fine 8–9", 1.3)
    saved = page.run("JSON.stringify(document.querySelector('.live').live.edit)")
    edit = controls.read(json.loads(saved))
    assert edit.offsets == {"one": {"fine": 1.3}}
    page.run("document.querySelector('.live').live.set(JSON.parse(JSON.stringify(document.querySelector('.live').live.edit)))")
    page.run(f"document.querySelector('.live').live.load({json.dumps(json.dumps(controls.start().asdict()))})")
    assert np.abs(pixels(page) - torchs(live, controls.start())).max() <= LEVELS
    page.run(f"document.querySelector('.live').live.load({json.dumps(saved)})")
    assert np.abs(pixels(page) - torchs(live, edit)).max() <= LEVELS
    page.run("document.querySelector('.live').live.load(JSON.stringify({kind: 'iplkit edit', psi: 7}))")
    assert page.run("document.querySelector('.live-status').textContent").endswith("psi must lie in 0 to 1.2; got 7")
    page.run("document.querySelector('.live').live.load('no json')")
    assert page.run("document.querySelector('.live-status').textContent").startswith("This file cannot be loaded")


def test_every_control_has_a_name_for_readers_who_do_not_see_it(page):
    assert page.run("[...document.querySelectorAll('.live-panel :is(input:not([hidden]), select)')].every(e => e.labels.length === 1)")
    assert page.run("document.querySelector('.live canvas').getAttribute('aria-label')") == "A portrait."


def test_nothing_was_asked_of_another_host_and_nobody_complained(page):
    assert len(page.requests) > 10
    assert page.outside(page.address) == []
    assert page.complaints == []


def test_opened_as_a_file_the_frames_move_and_no_button_promises_more(chromium, site, tmp_path):
    page = browser.Page(browser.find(), tmp_path / "profile")
    try:
        page.open((site / "notebooks" / "page.html").as_uri())
        assert page.run("document.querySelectorAll('.live-offer button').length") == 0
        assert "make serve" in page.run("document.querySelector('.live-offer').textContent")
        page.run("(e => { e.value = 1; e.dispatchEvent(new Event('input')); })(document.querySelector('.filmstrip input'))")
        assert page.run("document.querySelector('.filmstrip output').value") == "other"
        assert page.complaints == []
    finally:
        page.close()


def test_without_its_files_the_page_says_so_and_keeps_the_frames(site, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    shutil.rmtree(folder / "_static" / "live" / "data")
    page = browser.Page(browser.find(), tmp_path / "profile")
    try:
        with browser.serve(folder) as address:
            page.open(address + "notebooks/page.html")
            page.run("document.querySelector('.live-offer button').click()")
            page.until("document.querySelector('.live-offer').textContent.includes('cannot run here')")
            assert "were not built with this book" in page.run("document.querySelector('.live-offer').textContent")
            assert page.run("getComputedStyle(document.querySelector('.live-strip')).display") != "none"
    finally:
        page.close()


def test_the_runtime_is_the_one_that_is_named():
    folder = REPOSITORY / "book" / "_static" / "live"
    for name, facts in json.loads((folder / "vendor.json").read_text())["files"].items():
        assert sha256(folder / name) == facts["sha256"], name
