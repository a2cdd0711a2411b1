"""A committed notebook in a real JupyterLab: its cells run, and a slider that the mouse moves changes the picture."""

import importlib.util
import tempfile
import time
from pathlib import Path

import browser
import pytest

if browser.find() is None:
    pytest.skip("JupyterLab is looked at in a browser; no Chromium is found here", allow_module_level=True)
if importlib.util.find_spec("jupyterlab") is None:
    pytest.skip("a notebook is moved in JupyterLab; it is not installed here (pip install 'iplkit[lab]')", allow_module_level=True)
import lab  # noqa: E402

NAME = "03_layer_edits"
MINUTES = 300  # seconds, for what takes a tenth of it on an idle machine
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
CELLS = "window.jupyterapp.shell.currentWidget.content.widgets"
DONE = f"{CELLS}.filter((c) => c.model.type === 'code').every((c) => c.model.executionCount !== null)"
FAILED = f"{CELLS}.some((c) => c.model.type === 'code' && [...Array(c.model.outputs.length).keys()].some((k) => c.model.outputs.get(k).type === 'error'))"
VALUE = "document.querySelector('.jp-OutputArea .widget-slider .widget-readout').textContent"
PICTURE = """(async () => { const image = document.querySelector('.jp-OutputArea img.widget-image');
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data]; })()"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The notebook, open in JupyterLab, all cells run."""
    folder = lab.repository(tmp_path_factory.mktemp("repository") / "book", NAME, "smoke")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, lab.serve(folder, tmp_path_factory.mktemp("home")) as address:
        page = browser.Page(browser.find(), Path(profile))
        try:
            page.window(1280, 900)
            page.address = address.format(f"lab/tree/notebooks/{NAME}.ipynb")
            page.open(page.address)
            page.until(READY, MINUTES)  # before that, running cells would lose the kernel's socket
            page.run("window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)")
            page.until(f"{DONE} || {FAILED}", MINUTES)
            yield page
        finally:
            page.close()


def handle(page) -> dict:
    """Where the first slider's handle is, with the slider in the middle of the window."""
    page.until("document.querySelectorAll('.jp-OutputArea .widget-slider .noUi-handle').length > 0", MINUTES)
    page.run("document.querySelector('.jp-OutputArea .widget-slider').scrollIntoView({block: 'center'})")
    return page.run("(r => ({x: r.x + r.width / 2, y: r.y + r.height / 2}))(document.querySelector('.jp-OutputArea .widget-slider .noUi-handle').getBoundingClientRect())")


def test_every_cell_runs(notebook):
    assert notebook.run(DONE) and not notebook.run(FAILED)


def drag(page, pixels: int) -> None:
    place = handle(page)
    page.drag(place["x"], place["x"] + pixels, place["y"])


def wait_for(page, wanted) -> None:
    """Until the picture is as wanted; the kernel draws it after the slider has moved."""
    end = time.monotonic() + MINUTES
    while not wanted(page.run(PICTURE)):
        assert time.monotonic() < end, "the picture did not become what it should"
        time.sleep(0.2)


def share_changed(one: list[int], two: list[int]) -> float:
    return sum(a != b for a, b in zip(one, two, strict=True)) / len(one)


def test_the_mouse_moves_a_slider_and_the_picture_changes(notebook):
    handle(notebook)
    start = notebook.run(PICTURE)
    drag(notebook, 60)
    assert notebook.run(f"Number({VALUE})") > 0
    wait_for(notebook, lambda picture: share_changed(picture, start) > 0.2)
    drag(notebook, -60)
    assert notebook.run(f"Number({VALUE})") == 0
    wait_for(notebook, lambda picture: picture == start)


def test_nothing_was_asked_of_another_host(notebook):
    assert len(notebook.requests) > 10 and notebook.outside(notebook.address) == []
