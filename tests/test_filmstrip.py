"""The slider over frames: every frame whole and once, labels that belong to them, and something to see without scripts."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from iplkit.errors import UserError
from iplkit.filmstrip import filmstrip, frames_of
from iplkit.images import to_uint8

FRAMES = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 3, 2, 3)


def bytes_of(image):
    return to_uint8(image[None])[0].permute(1, 2, 0).numpy()


def test_every_label_leads_to_its_own_frame_to_the_last_bit():
    parts = {"one": [("a", FRAMES[0]), ('"b" & <c>', FRAMES[1])], "two": [("d", FRAMES[2]), ("e", FRAMES[0]), ("f", FRAMES[4:])]}
    wanted = [("one", "a", 0), ("one", '"b" & <c>', 1), ("two", "d", 2), ("two", "e", 0), ("two", "f", 4)]
    for scale in (1, 4):
        found = frames_of(filmstrip(parts, alt="x", scale=scale)._repr_html_())
        assert [(title, label) for title, label, _ in found] == [(title, label) for title, label, _ in wanted]
        for (_, _, picture), (_, _, k) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(np.asarray(picture), bytes_of(FRAMES[k]))


def test_one_part_without_a_menu_is_read_back_too():
    ((title, label, picture),) = frames_of(filmstrip({"": [("a", FRAMES[3])]}, alt="x")._repr_html_())
    assert (title, label) == ("", "a")
    np.testing.assert_array_equal(np.asarray(picture), bytes_of(FRAMES[3]))


def test_a_notebook_keeps_no_address_of_it():
    two = [filmstrip({"one": [("a", FRAMES[0]), ("b", FRAMES[1])]}, alt="x") for _ in range(2)]
    assert repr(two[0]) == repr(two[1]) == "a filmstrip of 2 frames"


def test_equal_frames_are_stored_once():
    strip = filmstrip({"one": [("a", FRAMES[0]), ("b", FRAMES[1])], "two": [("c", FRAMES[1]), ("d", FRAMES[0])]}, alt="x")
    assert strip.sprite.shape == (2, 6, 3) and [part.start for part in strip.parts] == [0, 1]


def test_a_slider_says_what_it_shows_and_asks_nobody():
    text = filmstrip({"": [("a & b", FRAMES[0]), ("c", FRAMES[1])]}, alt='three "frames"')._repr_html_()
    assert 'aria-label="three &quot;frames&quot;"' in text and 'aria-valuetext="a &amp; b"' in text and 'max="1"' in text
    assert "<select" not in text, "one part needs no menu"
    assert "http" not in text and "<script" not in text


def test_without_scripts_all_frames_stand_there_with_their_labels_and_no_slider():
    text = filmstrip({"one": [("a", FRAMES[0]), ("b", FRAMES[1])], "two": [("c", FRAMES[2])]}, alt="x")._repr_html_()
    still = re.search(r"<noscript>(.*)</noscript>", text)[1]
    assert re.findall(r"<figcaption>(\w)</figcaption>", still) == ["a", "b", "c"]
    assert "<style>.filmstrip>:is(select,input,output){display:none}</style>" in still and "<input" not in still


def test_a_printed_page_gets_the_first_frame():
    strip = filmstrip({"": [("a", FRAMES[3]), ("b", FRAMES[1])]}, alt="x", scale=2)
    picture = np.asarray(Image.open(io.BytesIO(strip._repr_png_())))
    np.testing.assert_array_equal(picture, bytes_of(FRAMES[3]).repeat(2, axis=0).repeat(2, axis=1))


def test_no_frames_and_frames_of_two_sizes_are_refused():
    for parts in ({}, {"one": []}):
        with pytest.raises(UserError, match="at least one frame"):
            filmstrip(parts, alt="x")
    with pytest.raises(UserError, match="frames of one size"):
        filmstrip({"one": [("a", FRAMES[0]), ("b", FRAMES[0][:, :1])]}, alt="x")
    with pytest.raises(UserError, match="starts at one of a; got 'z'"):
        filmstrip({"one": [("a", FRAMES[0])]}, alt="x", start="z")


def test_the_slider_begins_at_the_frame_that_is_asked_for():
    strip = filmstrip({"one": [("a", FRAMES[0]), ("b", FRAMES[1])], "two": [("c", FRAMES[2]), ("d", FRAMES[1])]}, alt="x", start="b")
    assert [part.start for part in strip.parts] == [1, 1]
    text = strip._repr_html_()
    assert "--x:1;--y:0" in text and 'value="1"' in text and "<output>b</output>" in text
