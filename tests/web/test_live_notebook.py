"""The controls in a notebook: a moved widget redraws; a page gets frames and says what it can do."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from iplkit import zoo
from iplkit.images import to_uint8
from iplkit.web.controls import Edit
from iplkit.web.notebook import Live

NAME = zoo.adapted_names()[0]


@pytest.fixture(scope="module")
def live(shipped, controls, directions):
    return Live(controls, shipped, directions, {name: zoo.adapted(name) for name in controls.domains})


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def knob(panel, name):
    return next(w for w in panel.box.children[1].children if w.description == name)


@pytest.fixture
def panel(live):
    from iplkit.web.notebook import Panel

    return Panel(live, 1)


@pytest.mark.parametrize(("name", "value"), [("seed", 9), ("truncation psi", 0.2), ("coarse", 1.5), ("row 5", -2.0), ("second from row", 3), ("domain", NAME)])
def test_every_control_changes_the_picture(panel, name, value):
    before = pixels(panel.picture.value)
    knob(panel, name).value = value
    assert not np.array_equal(before, pixels(panel.picture.value))


def test_a_direction_keeps_its_strengths_while_another_is_shown(panel):
    knob(panel, "coarse").value = 1.5
    moved = panel.picture.value
    knob(panel, "direction").value = "two"
    assert knob(panel, "coarse").value == 0 and panel.picture.value == moved
    knob(panel, "direction").value = "one"
    assert knob(panel, "coarse").value == 1.5 and panel.picture.value == moved


def test_share_zero_is_the_source_and_share_one_the_adapted_generator(live, controls):
    start = controls.start()
    base = {"seed": 3, "psi": start.psi, "second": 4, "crossover": 10, "offsets": {}}
    plain = live.draw(Edit(domain="", share=1, **base))
    assert torch.equal(live.draw(Edit(domain=NAME, share=0, **base)), plain)
    ws = (live.w_avg + start.psi * (live.w[3] - live.w_avg)).expand(1, controls.num_ws, -1)
    whole = zoo.adapted(NAME).synthesis(ws, noise_mode="const")
    assert int((to_uint8(live.draw(Edit(domain=NAME, share=1, **base))).int() - to_uint8(whole).int()).abs().max()) <= 1


def test_the_page_holds_frames_an_offer_and_words_for_readers_without_scripts(live, controls):
    start = controls.start()
    text = live.page({"start": start, "other": Edit(9, 0.8, 4, 10, "", 1, {})}, "A <portrait>.")._repr_html_()
    assert text.count("data:image/png;base64,") == 1 and "start|other" in text
    assert "live-offer" in text and "<noscript>" in text and "A &lt;portrait&gt;." in text
    assert "<script" not in text and "http" not in text
    assert len(text) < 500_000
