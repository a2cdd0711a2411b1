"""The live page and files: what it saves comes back, and it opens from a folder, without scripts, and without its own files."""

import json
import shutil

import browser
import numpy as np
import pytest
from PIL import Image
from reader import choose, download, finger, move, pixels, press, start

from iplkit import zoo
from iplkit.edit.edits import read_edit
from iplkit.errors import UserError
from iplkit.images import to_uint8
from iplkit.web.inline import inline_script

NAME = zoo.adapted_names()[0]
LEVELS = 2  # of 255
SLIDE = "(e => {{ e.value = {value}; e.dispatchEvent(new Event('input')); }})(document.querySelector('.filmstrip input'))"


def change(page):
    """Move something of every kind."""
    for label, value in (("seed", 12), ("truncation ψ", 0.65), ("second seed", 9), ("from row", 6), ("generator", NAME), ("share", 0.45), ("middle 4–7", 1.3), ("direction", "two"), ("row 1", -0.8)):
        move(page, label, value)


def test_a_downloaded_edit_brings_the_picture_back_on_the_page_and_in_python(page, live, controls, tmp_path):
    change(page)
    before = pixels(page)
    path = download(page, "Save this edit", tmp_path)
    assert path.name == "edit.json" and path.stat().st_size < 1500
    press(page, "Reset")
    assert not np.array_equal(pixels(page), before)
    choose(page, path)
    assert np.array_equal(pixels(page), before)
    edit = read_edit(path, controls.known)
    assert controls.read(json.loads(path.read_text())) == edit and len(edit.moves) == 2
    drawn = to_uint8(live.draw(edit))[0].permute(1, 2, 0).numpy().astype(np.int32)
    assert np.abs(drawn - before).max() <= LEVELS


def test_a_downloaded_png_has_the_pixels_of_the_page(page, tmp_path):
    change(page)
    with Image.open(download(page, "Save as PNG", tmp_path)) as picture:
        assert picture.format == "PNG" and np.array_equal(np.asarray(picture.convert("RGB")), pixels(page))


def test_a_chosen_file_that_is_no_edit_changes_nothing_and_says_why(page, tmp_path):
    change(page)
    before = pixels(page)
    (tmp_path / "edit.json").write_text("{")
    choose(page, tmp_path / "edit.json")
    assert page.run("document.querySelector('.live-status').textContent") == "This file cannot be loaded: an edit needs a file of JSON; this is none."
    assert np.array_equal(pixels(page), before)


@pytest.fixture(scope="module")
def opened(browser_page, site):
    """The page opened as a file."""
    page = browser_page()
    page.open((site / "notebooks" / "page.html").as_uri())
    return page


def test_opened_as_a_file_the_frames_slide_under_keys_and_fingers(opened):
    opened.window(390, 844, phone=True)
    opened.run("(s => { s.selectedIndex = 1; s.dispatchEvent(new Event('change')); })(document.querySelector('.filmstrip select'))")
    labels = opened.run("JSON.parse(document.querySelector('.filmstrip option:checked').dataset.labels)")
    assert opened.run("document.querySelector('.filmstrip output').value") == labels[1] == "truncation ψ 0.8", "it begins at the start"
    opened.run("document.querySelector('.filmstrip input').focus()")
    opened.key("ArrowRight")
    assert opened.run("document.querySelector('.filmstrip output').value") == labels[2]
    where = opened.run("getComputedStyle(document.querySelector('.filmstrip > div')).backgroundPosition")
    box = opened.run("(r => ({x: r.x, y: r.y, h: r.height}))(document.querySelector('.filmstrip input').getBoundingClientRect())")
    finger(opened, [(box["x"] + 4, box["y"] + box["h"] / 2)])
    assert opened.run("document.querySelector('.filmstrip output').value") == labels[0]
    assert opened.run("getComputedStyle(document.querySelector('.filmstrip > div')).backgroundPosition") != where
    opened.window(1280, 900)


def test_opened_as_a_file_the_model_runs_and_no_request_is_refused(opened, live, controls):
    start(opened)
    drawn = to_uint8(live.draw(controls.start()))[0].permute(1, 2, 0).numpy().astype(np.int32)
    assert np.abs(pixels(opened) - drawn).max() <= LEVELS
    before = pixels(opened)
    move(opened, "generator", NAME)
    move(opened, "coarse 0–3", 1.5)
    assert not np.array_equal(before, pixels(opened))
    assert opened.complaints == [], "nothing was refused"
    assert {url.split(":", 1)[0] for url in opened.requests} <= {"file", "blob", "data"}


def test_opened_as_a_file_without_its_copy_the_page_says_so_and_keeps_the_frames(browser_page, site, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    (folder / "_static" / "live" / "inline.js").unlink()
    page = browser_page()
    page.open((folder / "notebooks" / "page.html").as_uri())
    press(page, "Start the live model")
    page.until("document.querySelector('.live-offer').textContent.includes('cannot run here')")
    assert "run make serve" in page.run("document.querySelector('.live-offer').textContent")
    page.run(SLIDE.format(value=1))
    assert page.run("document.querySelector('.filmstrip output').value") == "seed 7"


def test_served_without_its_files_the_page_says_so_and_keeps_the_frames(browser_page, site, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    shutil.rmtree(folder / "_static" / "live" / "data")
    page = browser_page()
    with browser.serve(folder) as address:
        page.open(address + "notebooks/page.html")
        press(page, "Start the live model")
        page.until("document.querySelector('.live-offer').textContent.includes('cannot run here')")
        assert "were not built with this book" in page.run("document.querySelector('.live-offer').textContent")
        assert page.run("getComputedStyle(document.querySelector('.live-strip')).display") != "none"


def test_without_scripts_every_frame_stands_on_the_page_and_nothing_pretends_to_move(browser_page, site, controls):
    page = browser_page()
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    page.send("Page.navigate", url=(site / "notebooks" / "page.html").as_uri())
    page.send("DOM.enable")
    text = dead_text(page)
    assert "Scripts are not allowed here" in text and "Start the live model" not in text
    for label in (label for frames in controls.strip().values() for label, _ in frames):
        assert label in text
    assert visible(page, ".filmstrip input") == visible(page, ".filmstrip select") == visible(page, ".live button") == 0
    assert visible(page, ".filmstrip > div") == 1 and visible(page, ".filmstrip figure") == sum(map(len, controls.strip().values()))


def nodes(page, selector):
    root = page.send("DOM.getDocument", depth=0)["root"]["nodeId"]
    return page.send("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"]


def visible(page, selector) -> int:
    """How many elements take place on the page; asked without a script."""
    count = 0
    for node in nodes(page, selector):
        try:
            count += page.send("DOM.getBoxModel", nodeId=node)["model"]["height"] > 0
        except UserError:  # it has no box
            pass
    return count


def dead_text(page) -> str:
    """The page's words, once it is loaded; asked without a script."""
    import time

    end = time.monotonic() + 60
    while not (found := nodes(page, "noscript p")) and time.monotonic() < end:
        time.sleep(0.05)
    return page.send("DOM.getOuterHTML", nodeId=nodes(page, "body")[0])["outerHTML"] if found else ""


def test_the_copy_for_files_holds_what_the_page_reads_and_is_the_same_bytes_again(site):
    scripts = site / "_static" / "live"
    files = {path.relative_to(scripts).as_posix(): path for path in scripts.rglob("*") if path.is_file()}
    text = (scripts / "inline.js").read_bytes()
    assert inline_script(dict(reversed(files.items()))) == text
    stored = json.loads(text.removeprefix(b"window.iplkitLive = ").removesuffix(b";\n"))
    assert set(stored) == set(files) - {"inline.js", "start.js", "vendor.json", "LICENSE.txt"}
    assert b"</script" not in text.lower()
