"""Each kind of bad input is answered by one sentence that says what to do."""

import torch

from iplkit.invert.align import WORLD
from iplkit.invert.portraits import Cutting
from iplkit.photos.bad_inputs import PICTURES, answers
from iplkit.photos.scenes import hang
from iplkit.world.factors import NUM_FACTORS, indices


def test_every_bad_input_has_its_answer(tmp_path):
    factors = torch.rand(1, NUM_FACTORS, generator=torch.Generator().manual_seed(5))
    factors[:, indices(("yaw", "pitch", "size"))] = 0.5
    factors[:, indices(("glasses", "beard", "fringe"))] = 0
    scene = hang(factors, size=(360, 270), seed=1)
    rows = {row["input"]: row for row in answers(scene.picture, scene.points, Cutting(64, WORLD), 10, 512, tmp_path)}
    assert set(PICTURES) < set(rows)
    taken = {kind for kind, row in rows.items() if row["answer"] == "taken"}
    assert taken == {"two faces", "a GIF that moves"}, "the largest face, and the first frame"
    assert "the largest was taken" in rows["two faces"]["sentence"] and "2 frames" in rows["a GIF that moves"]["sentence"]
    words = {
        "no face": "none was found", "one pixel": "at least 32 pixels", "20,000 pixels a side": "at most 100 million pixels",
        "a text named .jpg": "it is text", "a JPEG cut short": "ends early or is damaged", "landmarks of another photo": "cut off",
        "a latent of another generator": "a generator of 1024 px", "a latent without its rows": "needs shape",
        "several latents in one file": "one a file", "an encoder for another size": "this one draws 128 px",
    }  # fmt: skip
    for kind, said in words.items():
        assert said in rows[kind]["sentence"], rows[kind]
    for row in rows.values():
        assert str(tmp_path) not in row["sentence"] and "\n" not in row["sentence"]
