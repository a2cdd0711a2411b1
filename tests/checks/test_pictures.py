"""The same picture from another machine is told from another picture."""

import numpy as np
import pytest
from PIL import Image

from iplkit.checks.pictures import unlike


@pytest.fixture
def picture(tmp_path):
    """A function that stores pixels."""

    def store(name, pixels):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
        return tmp_path / name

    return store


def plot(path, *texts, view="0 0 504 200"):
    path.write_text(f'<svg width="1pt" viewBox="{view}">' + "".join(f"<!-- {text} -->" for text in texts) + "</svg>")
    return path


def test_rounding_makes_no_other_picture_and_another_person_does(picture):
    rng = np.random.default_rng(0)
    pixels = rng.integers(20, 235, (16, 16, 3))
    one = picture("a.png", pixels)
    assert unlike(one, picture("b.png", pixels + rng.integers(-8, 9, pixels.shape))) == ""
    assert unlike(one, picture("c.png", rng.integers(20, 235, pixels.shape))).endswith("levels apart on average")
    assert unlike(one, picture("d.png", pixels[:8])) == "16 by 16 pixels here, 16 by 8 there"


def test_plots_are_told_apart_by_their_words_and_not_by_their_numbers(tmp_path):
    one = plot(tmp_path / "a.svg", "FID", "pictures in each set", "0.25")
    assert unlike(one, plot(tmp_path / "b.svg", "FID", "pictures in each set", "0.30", "50")) == ""
    assert unlike(one, plot(tmp_path / "c.svg", "loss", "step", "0.25")) == "it says loss, step in place of FID, pictures in each set"
    assert unlike(one, plot(tmp_path / "d.svg", "FID", "pictures in each set", view="0 0 504 300")) == "drawn as 0 0 504 200 here, as 0 0 504 300 there"


def test_tables_are_no_pictures_and_a_missing_file_is_named(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name)
    assert unlike(tmp_path / "a.csv", tmp_path / "b.csv") == ""
    assert unlike(tmp_path / "a.csv", tmp_path / "none.csv") == "none.csv is missing"
