"""The numbers beside a picture say what is read, and what has moved."""

import pytest
import torch

from iplkit.errors import UserError
from iplkit.images import to_uint8
from iplkit.web.notebook import Live, Panel
from iplkit.web.readout import Readout, judge_readout
from iplkit.widgets import sliders

MEANS = Readout(("red", "some_green"), lambda images: (images.mean(dim=(2, 3))[:, :2] + 1) / 2)
GREY = torch.zeros(1, 3, 4, 4)


def tinted(value: float) -> torch.Tensor:
    return torch.cat([torch.full((1, 1, 4, 4), value), torch.zeros(1, 2, 4, 4)], dim=1)


def test_values_are_those_of_the_reader_for_either_shape():
    assert MEANS.values(tinted(0.5)) == MEANS.values(tinted(0.5)[0]) == {"red": 0.75, "some_green": 0.5}


def test_words_name_the_largest_moves_and_say_when_there_is_none():
    start = MEANS.values(GREY)
    assert MEANS.words(tinted(-0.5), start) == "red \N{MINUS SIGN}0.25"
    assert MEANS.words(tinted(0.02), start) == "nothing moves"


def test_the_table_shows_name_value_and_move():
    text = MEANS.html(tinted(0.5), MEANS.values(GREY))
    assert "some green" in text and "0.75" in text and "+0.25" in text and text.count("+") == 1


def test_a_reader_of_other_factors_is_refused():
    with pytest.raises(UserError, match="2 factors needs as many numbers"):
        Readout(("a", "b"), lambda images: images.mean(dim=(1, 2, 3))[:, None]).values(GREY)
    with pytest.raises(UserError, match="a factor is one of"):
        judge_readout(torch.nn.Identity(), ["height"])


def test_widgets_and_frames_carry_the_numbers():
    made = sliders(lambda values: tinted(values["a"]), ["a"], low=-1, high=1, readout=MEANS)
    box = made.widget()
    box.children[0].value = 1.0
    assert "+0.50" in box.children[1].value
    text = made.strip()._repr_html_()
    assert "a +1: red +0.50" in text and "a 0: nothing moves" in text


def test_the_live_panel_shows_the_numbers_of_its_picture(live, shipped, controls, directions):
    read = Live(controls, shipped, directions, live.adapted, Readout(MEANS.names, lambda x: MEANS.read(to_uint8(x).float() / 127.5 - 1)))
    panel = Panel(read, 1)
    before = panel.numbers.value
    panel.knobs["seed"].value = 9
    assert before.count("<td") == panel.numbers.value.count("<td") == 8 and before != panel.numbers.value
    assert Panel(live, 1).numbers.value == ""
