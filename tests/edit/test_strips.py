"""Offsets, strips, frames and films."""

import pytest
import torch
from PIL import Image

from iplkit.edit.strips import OFFSETS, STRIPS, frame_offsets, parse_offsets, write_film, write_frames, write_strip
from iplkit.errors import UserError


@pytest.mark.parametrize(("text", "values"), [("5", (0, 5)), ("-1..5", OFFSETS), ("0,2.5", (0, 2.5)), ("0", (0,))])
def test_offsets_are_read_as_the_source_writes_them(text, values):
    assert parse_offsets(text) == values


@pytest.mark.parametrize("text", ["far", "5..1", "nan", "1..2..3", "0..1e9"])
def test_another_offset_is_refused(text):
    with pytest.raises(UserError, match="an offset"):
        parse_offsets(text)


def test_there_are_the_six_strips_of_the_source():
    assert [strip.name for strip in STRIPS] == ["boy", "happy", "angry", "long hair", "curly hair", "golden hair"]


def test_a_strip_stands_in_one_row_and_frames_and_film_hold_every_picture(tmp_path):
    images = torch.linspace(-1, 1, 4)[:, None, None, None].expand(4, 3, 8, 8)
    with Image.open(write_strip(tmp_path, "long hair", images)) as strip:
        assert strip.width > 4 * 8
    assert write_strip(tmp_path, "long hair", images).name == "long-hair.png"
    assert len(list(write_frames(tmp_path, "x", images).iterdir())) == 4
    with Image.open(write_film(tmp_path / "x.gif", images)) as film:
        assert film.n_frames == 6


def test_frames_run_from_the_least_to_the_largest_offset():
    assert frame_offsets((-1, 5), 3).tolist() == [-1, 2, 5]
    with pytest.raises(UserError, match="2 to 2000 frames"):
        frame_offsets((0, 1), 1)
