import inspect
from dataclasses import replace

import pytest
import torch

from iplkit.adapt import METHODS, PAPER, adapt
from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.methods import known_templates
from iplkit.clip.model import Clip
from iplkit.clip.prompts import TEMPLATES
from iplkit.errors import UserError


@pytest.mark.parametrize("method", METHODS)
def test_a_method_costs_fewer_than_fifty_lines(method):
    assert len(inspect.getsource(METHODS[method]).splitlines()) < 50


def test_an_unknown_method_is_answered_with_the_known_ones(tiny_generator, tiny_clip):
    with pytest.raises(UserError, match=r"method must be one of \['air', .*'nada', 'style_shift'\]; got 'svl'"):
        adapt(tiny_generator, tiny_clip, "svl", "photo", "sketch")


def test_a_word_that_clip_never_saw_is_refused_with_the_nearest(tiny_generator, tiny_clip):
    clip = Clip(tiny_clip.model, tiny_clip.config, words=["photo", "sketch", "statue", "a", "of"])
    with pytest.raises(UserError, match="'sketsh' is not one, the nearest it knows: sketch"):
        adapt(tiny_generator, clip, "nada", "photo", "sketsh")


def test_only_templates_of_known_words_are_used(tiny_clip):
    assert known_templates(tiny_clip) == TEMPLATES
    some = Clip(tiny_clip.model, tiny_clip.config, words=["a", "photo", "of", "the", "cropped"])
    assert "a cropped photo of a {}." in known_templates(some)
    assert "a tattoo of a {}." not in known_templates(some)
    with pytest.raises(UserError, match="at least one template"):
        known_templates(Clip(tiny_clip.model, tiny_clip.config, words=["sketch"]))


@pytest.mark.parametrize("method", METHODS)
def test_the_published_code_with_all_its_quirks_still_runs(tiny_generator, tiny_clip, short, method):
    settings = replace(short, noise="independent", views=0, quirks=PAPER[method].quirks, second="statue" * (method == "mix"))
    result = adapt(tiny_generator, tiny_clip, method, "photo", "sketch", settings, progress=False)
    assert len(result.log) == short.steps and all(0 <= row["loss"] <= 4 for row in result.log)
    assert (result.mapper is not None) == method.startswith("ipl")


def test_both_methods_see_the_same_latents_noise_and_views(tiny_generator, tiny_clip, short, monkeypatch):
    def run(method):
        seen = []

        def spy(task):
            anchor = source_anchor(task)
            return lambda ws, step: seen.append(anchor(ws, step)) or seen[-1]

        monkeypatch.setattr("iplkit.adapt.methods.source_anchor", spy)
        adapt(tiny_generator, tiny_clip, method, "photo", "sketch", short, progress=False)
        return torch.stack(seen)

    assert torch.equal(run("nada"), run("ipl"))
