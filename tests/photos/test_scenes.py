"""Scenes: the truth about a portrait on a wall is the truth."""

import numpy as np
import pytest
import torch

from iplkit.errors import UserError
from iplkit.images import from_pil
from iplkit.invert.align import align, quad_error, quad_of
from iplkit.photos.scenes import DRAWN, hang
from iplkit.world.factors import sample_factors
from iplkit.world.render import render
from iplkit.world.truth import landmarks


@pytest.fixture(scope="module")
def person():
    return sample_factors(1, torch.Generator().manual_seed(5))


def test_what_hangs_at_the_place_is_the_portrait(person):
    scene = hang(person, seed=3)
    cut = from_pil(align(scene.picture, scene.quad, 64))
    drawn = from_pil(align(_picture(person, 3), np.array([[-0.5, -0.5], [-0.5, 319.5], [319.5, 319.5], [319.5, -0.5]]), 64))
    middle = slice(8, 56)  # the seam fades into the wall
    assert (cut - drawn)[..., middle, middle].abs().mean() < 0.02


def test_the_true_landmarks_hang_where_the_portrait_does(person):
    scene = hang(person, seed=3)
    flat = quad_of(landmarks(person, size=DRAWN)[0].numpy())
    steps = (flat + 0.5) / DRAWN
    moved = scene.quad[0] + steps[:, :1] * (scene.quad[3] - scene.quad[0]) + steps[:, 1:] * (scene.quad[1] - scene.quad[0])
    assert quad_error(quad_of(scene.points), moved) < 1e-6


def test_wall_and_place_are_the_same_in_every_domain(person):
    photo, sketch, other = hang(person, seed=3), hang(person, "sketch", seed=3), hang(person, seed=4)
    assert np.array_equal(photo.quad, sketch.quad) and np.array_equal(photo.points, sketch.points)
    corner = [np.asarray(scene.picture)[:20, :20] for scene in (photo, sketch, other)]
    assert np.array_equal(corner[0], corner[1]) and not np.array_equal(corner[0], corner[2])
    assert not np.array_equal(np.asarray(photo.picture), np.asarray(sketch.picture))


@pytest.mark.parametrize("seed", range(5))
def test_every_portrait_lies_wholly_on_its_wall(person, seed):
    scene = hang(person, size=(400, 300), seed=seed)
    assert (scene.quad >= 0).all() and (scene.quad <= np.array([399, 299])).all()


def test_only_one_portrait_hangs(person):
    with pytest.raises(UserError, match="one portrait"):
        hang(person.repeat(2, 1))


def _picture(person, seed):
    from iplkit.images import to_pil

    return to_pil(render(person, "photo", DRAWN, seed=seed))
