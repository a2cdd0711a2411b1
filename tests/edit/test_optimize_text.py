"""Latent optimisation by text: the loss falls, weights hold, and each person walks alone."""

import pytest
import torch
import torch.nn.functional as F
from small_eye import small_eye
from torch.testing import assert_close

from iplkit.edit.optimize_text import TextSettings, likeness_of, optimize_text
from iplkit.errors import UserError
from iplkit.invert.descent import Schedule


@pytest.fixture(scope="module")
def eye():
    return small_eye()


@pytest.fixture
def task(eye):
    rng = torch.Generator().manual_seed(5)
    ws = eye.generator.mapping(torch.randn(2, 32, generator=rng))
    return {"generator": eye.generator, "clip": eye.clip, "ws": ws, "text": F.normalize(torch.randn(16, generator=rng), dim=0)}


def settings(**changes) -> TextSettings:
    return TextSettings(**{"schedule": Schedule(12, 0.05), "l2": 0.0} | changes)


def test_clip_sees_more_of_the_text_after_the_walk(task):
    found = optimize_text(**task, settings=settings())
    assert bool((found.losses[-1] < found.losses[0]).all())


def test_a_large_weight_of_the_way_keeps_the_code_near(task):
    free, held = (optimize_text(**task, settings=settings(l2=l2)).ws - task["ws"] for l2 in (0.0, 1.0))
    assert held.norm() < 0.5 * free.norm()


def test_the_way_is_summed_over_all_entries_not_averaged(task):
    first = optimize_text(**task, settings=settings(schedule=Schedule(1, 1e-9), l2=0.0)).losses[0]
    aside = {**task, "ws": task["ws"] + 0}
    again = optimize_text(**aside, settings=settings(schedule=Schedule(3, 0.01, rise=0, fall=0), l2=100.0))
    way = (again.losses[1] - first).clamp_min(0)  # after one step of Adam every entry moved by its rate
    assert_close(way, torch.full((2,), 100 * 0.01**2 * task["ws"][0].numel()), rtol=0.05, atol=0)


def test_the_likeness_holds_the_picture(task):
    alike = likeness_of(lambda images: images.flatten(1))
    far, near = (optimize_text(**task, settings=settings(identity=weight), likeness=alike) for weight in (0.0, 50.0))
    pictures = [task["generator"].synthesis(ws, noise_mode="const") for ws in (task["ws"], far.ws, near.ws)]
    assert (pictures[2] - pictures[0]).norm() < (pictures[1] - pictures[0]).norm()


def test_a_person_walks_the_same_way_in_any_company(task):
    both = optimize_text(**task, settings=settings()).ws
    alone = optimize_text(**{**task, "ws": task["ws"][1:]}, settings=settings()).ws
    assert_close(both[1:], alone, rtol=1e-3, atol=1e-3)


def test_what_does_not_fit_is_refused(task):
    with pytest.raises(UserError, match=r"needs codes \[N, 6, 512\]"):
        optimize_text(**{**task, "ws": task["ws"][0]})
    with pytest.raises(UserError, match="needs a likeness"):
        optimize_text(**task, settings=settings(identity=0.1))
    with pytest.raises(UserError, match="weights are at least 0"):
        TextSettings(l2=-1)
