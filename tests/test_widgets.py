"""Sliders: a moved slider redraws the picture with the values it shows, and the frames of a page come from the same definition."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from iplkit.errors import UserError
from iplkit.widgets import png, sliders


def flat(values: dict[str, float]) -> torch.Tensor:
    """A picture whose red is the first value and whose green is the second."""
    rgb = torch.tensor([values["a"], values["b"], -1.0]).view(1, 3, 1, 1)
    return rgb.expand(1, 3, 4, 4)


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def test_the_first_picture_belongs_to_the_start():
    box = sliders(flat, ["a", "b"], low=-1, high=1, scale=1).widget()
    assert pixels(box.children[-1].value)[0, 0].tolist() == [128, 128, 0]  # 0 is the middle of the byte range


def test_a_moved_slider_redraws_the_picture():
    box = sliders(flat, ["a", "b"], low=-1, high=1, scale=1).widget()
    box.children[1].value = 1.0
    assert pixels(box.children[-1].value)[0, 0].tolist() == [128, 255, 0]


def test_sliders_carry_their_names_in_order():
    box = sliders(flat, ["a", "b"]).widget()
    assert [knob.description for knob in box.children[:-1]] == ["a", "b"]


def test_a_range_without_zero_starts_at_its_near_end():
    box = sliders(flat, ["a", "b"], low=0.5, high=1.0, step=0.5, scale=1).widget()
    assert [knob.value for knob in box.children[:-1]] == [0.5, 0.5]


def test_a_pixel_becomes_a_block():
    image = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    large, small = pixels(png(image, 3)), pixels(png(image))
    assert np.array_equal(large, small.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_names_that_do_not_tell_sliders_apart_are_refused(names):
    with pytest.raises(UserError, match="names, each once"):
        sliders(flat, names)


def test_an_empty_range_is_refused():
    with pytest.raises(UserError, match="low < high"):
        sliders(flat, ["a"], low=1, high=1)


def test_a_page_gets_the_same_sliders_as_frames_at_their_stops():
    define = sliders(flat, ["a", "b"], low=-1, high=1, stops=(-1, 0, 1), scale=1)
    assert [knob.description for knob in define.show(kernel=True).children[:-1]] == ["a", "b"]
    parts = define.show(kernel=False).parts
    assert [part.title for part in parts] == ["a", "b"] and parts[1].labels == ["b −1", "b 0", "b +1"]
    assert [part.start for part in parts] == [1, 1], "both begin at the start"
    picture = define.strip().sprite
    x, y = parts[1].at[2]
    assert picture[4 * y, 4 * x].tolist() == [128, 255, 0]


def test_a_stop_outside_the_range_is_refused():
    with pytest.raises(UserError, match="stops must lie in -1 to 1"):
        sliders(flat, ["a"], low=-1, high=1, stops=(3,))
