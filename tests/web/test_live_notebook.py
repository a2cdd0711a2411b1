"""The controls in a notebook: a moved widget redraws and is saved with the notebook; a page gets frames and an offer."""

import io
import re
from dataclasses import replace

import ipywidgets
import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from small_book import REPOSITORY

from iplkit import zoo
from iplkit.edit.edits import Move, read_edit, write_edit
from iplkit.errors import UserError
from iplkit.images import to_uint8
from iplkit.web.controls import Controls
from iplkit.web.notebook import Live, LivePage, Panel

NAME = zoo.adapted_names()[0]


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def found(widget):
    """All sliders and menus below a widget, by what stands beside them."""
    if isinstance(widget, ipywidgets.Box | ipywidgets.Accordion):
        return {label: knob for child in widget.children for label, knob in found(child).items()}
    return {widget.description: widget} if isinstance(widget, ipywidgets.IntSlider | ipywidgets.FloatSlider | ipywidgets.Dropdown) else {}


@pytest.fixture
def panel(live):
    return Panel(live, 1)


def test_the_widgets_are_the_knobs_of_the_definition_in_its_order(panel, controls):
    assert list(found(panel.box)) == [knob.label for group in controls.panel for knob in group.knobs]


@pytest.mark.parametrize(("label", "value"), [("seed", 9), ("truncation ψ", 0.2), ("coarse 0–3", 1.5), ("row 5", -2.0), ("from row", 3), ("generator", NAME)])
def test_every_control_changes_the_picture(panel, label, value):
    before = pixels(panel.picture.value)
    found(panel.box)[label].value = value
    assert not np.array_equal(before, pixels(panel.picture.value))


def test_a_direction_keeps_its_strengths_while_another_is_shown(panel):
    knobs = found(panel.box)
    knobs["coarse 0–3"].value = 1.5
    moved = panel.picture.value
    knobs["direction"].value = "two"
    assert knobs["coarse 0–3"].value == 0 and panel.picture.value == moved
    knobs["direction"].value = "one"
    assert knobs["coarse 0–3"].value == 1.5 and panel.picture.value == moved


def test_a_saved_edit_brings_every_widget_and_the_picture_back(panel, live, controls, tmp_path):
    knobs = found(panel.box)
    knobs["seed"].value, knobs["share"].value, knobs["generator"].value = 9, 0.6, NAME
    knobs["direction"].value = "two"
    knobs["row 3"].value = -1.0
    edit, picture = panel.edit, panel.picture.value
    assert edit.moves == (Move("two", (3,), -1.0),)
    write_edit(tmp_path / "edit.json", edit, controls.known)
    panel.set(controls.start())
    assert panel.edit == controls.start() and panel.picture.value != picture
    panel.set(read_edit(tmp_path / "edit.json", controls.known))
    assert panel.edit == edit and panel.picture.value == picture and knobs["row 3"].value == -1.0


def test_a_seed_draws_the_person_that_the_generator_makes_of_it(live, shipped, controls):
    from iplkit.latents import z_from_seeds

    theirs = shipped(z_from_seeds([3]), truncation_psi=controls.psi.start, noise_mode="const")
    assert int((to_uint8(live.draw(controls.start())).int() - to_uint8(theirs).int()).abs().max()) <= 1


def test_the_page_holds_frames_an_offer_and_words_for_readers_without_scripts(frames):
    text = frames._repr_html_()
    assert "live-offer" in text and "A &lt;portrait&gt;." in text
    assert "Scripts are not allowed here" in re.findall(r"<noscript>(.*?)</noscript>", text)[-1]
    assert "<script" not in text and "http" not in text
    assert len(text) < 500_000


def test_an_added_group_of_rows_shows_in_the_widgets_and_in_the_frames(live, shipped, controls, directions, frames):
    added = Controls(replace(controls.known, directions=("one",)), more_groups={"eyes": (2, 3)}, seed=controls.seed, second=controls.second)
    again = Live(added, shipped, directions[:1], live.adapted)
    assert "eyes 2–3" in found(again.show(True, "x").box) and "eyes 2–3" not in found(Panel(live, 1).box)
    assert "eyes rows +2" in again.show(False, "x")._repr_html_() and "eyes" not in frames._repr_html_()


def test_more_frames_than_a_page_may_have_are_refused(frames, monkeypatch):
    monkeypatch.setattr("iplkit.web.notebook.STRIP_BYTES", 10_000)
    with pytest.raises(UserError, match="give the sliders fewer stops"):
        LivePage(frames.strip, "x")


def test_directions_that_are_not_there_are_refused(shipped, controls):
    with pytest.raises(UserError, match="one direction a name; got 1 for one, two"):
        Live(controls, shipped, torch.zeros(1, 512), {})


CELL = """
import torch
from small_models import small_generator
from iplkit.edit.edits import Known
from iplkit.web.controls import Controls
from iplkit.web.notebook import Live
generator = small_generator()
controls = Controls(Known(generator.num_ws, "generator", {"generator": "a" * 64}, ("one",)))
Live(controls, generator, torch.zeros(1, generator.config.w_dim), {}).show(True, "A portrait.")
"""


def test_a_run_notebook_keeps_the_state_of_every_widget(monkeypatch, tmp_path):
    """What a reader sees who opens it again before a kernel runs."""
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}:{REPOSITORY / 'tests'}")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    view = notebook.cells[0].outputs[-1]["data"]["application/vnd.jupyter.widget-view+json"]
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert view["model_id"] in state
    descriptions = {model["state"].get("description") for model in state.values()}
    assert {"seed", "truncation ψ", "generator", "direction", "coarse 0–3", "row 1"} <= descriptions
    assert any(model["model_name"] == "ImageModel" and model.get("buffers") for model in state.values()), "the picture itself"
