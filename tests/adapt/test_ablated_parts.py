"""Parts of IPL that can be left out or replaced: the added sentence, the templates, the mapper."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.stage1 import TextSide, make_context, new_mapper
from iplkit.clip.mapper import PromptMapper
from iplkit.clip.prompts import TEMPLATES
from iplkit.clip.transformer_mapper import TransformerMapper
from iplkit.errors import UserError


@pytest.fixture
def prompts(generator):
    return torch.randn(6, 4, 64, generator=generator)


def run(generator, clip, settings, method="ipl"):
    result = adapt(generator, clip, method, "photo", "sketch", settings, seed=3, progress=False)
    return torch.cat([p.flatten() for p in result.generator.parameters()])


def test_with_no_base_a_side_says_the_learned_sentence_alone(tiny_clip, prompts):
    settings = AdaptSettings(base="none")
    for stage in (1, 2):
        side = TextSide(tiny_clip, make_context(tiny_clip, "photo", "sketch", settings), "target", settings, stage)
        assert torch.equal(side(prompts), side.learned(prompts)) and side.sentence == "" and not side.base.any()


def test_with_no_base_the_words_of_the_prompt_are_nothing_but_their_number(tiny_generator, tiny_clip, short):
    one, other = (run(tiny_generator, tiny_clip, replace(short, base="none", prompt=p)) for p in ("a photo of a", "to see up from"))
    assert torch.equal(one, other)
    assert not torch.equal(one, run(tiny_generator, tiny_clip, replace(short, base="none", prompt="a")))
    assert not torch.equal(one, run(tiny_generator, tiny_clip, short))


def test_a_mapper_is_the_one_that_is_named_and_a_transformer_is_mended_unless_asked_for(tiny_clip, generator):
    context = make_context(tiny_clip, "photo", "sketch", AdaptSettings())
    w = torch.randn(6, 512, generator=generator)
    made = {name: new_mapper(tiny_clip, context, AdaptSettings(mapper=name), 0).eval() for name in ("perceptron", "transformer", "transformer as written")}
    assert isinstance(made["perceptron"], PromptMapper) and isinstance(made["transformer"], TransformerMapper)
    for name, mapper in made.items():
        alone = torch.cat([mapper(row[None]) for row in w])
        assert (torch.allclose(mapper(w), alone, atol=1e-4)) == (name != "transformer as written")
    weights = [made[name].state_dict() for name in ("transformer", "transformer as written")]
    assert_close(*weights, atol=0, rtol=0)


@pytest.mark.parametrize("change", [{"mapper": "transformer"}, {"mapper": "transformer as written"}, {"templates": ("a {}.",)}, {"mapper_steps": 0}])
def test_every_replaced_part_reaches_the_generator_and_a_run_repeats(tiny_generator, tiny_clip, short, change):
    settings = replace(short, **change)
    weights = run(tiny_generator, tiny_clip, settings)
    assert torch.equal(weights, run(tiny_generator, tiny_clip, settings))
    assert not torch.equal(weights, run(tiny_generator, tiny_clip, short))


def test_all_templates_by_name_are_all_templates(tiny_generator, tiny_clip, short):
    named = run(tiny_generator, tiny_clip, replace(short, templates=TEMPLATES), "nada")
    assert torch.equal(named, run(tiny_generator, tiny_clip, short, "nada"))


def test_records_of_older_runs_stay_as_they_were():
    assert not {"base", "templates", "mapper"} & set(AdaptSettings().record())
    changed = AdaptSettings(base="none", templates=["a {}."], mapper="transformer")
    assert changed.record()["templates"] == ["a {}."] and AdaptSettings.from_record(changed.record()) == changed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"base": "half"}, "base must be one of"),
        ({"mapper": "rnn"}, "mapper must be one of"),
        ({"templates": ("a photo",)}, "templates need texts with a {}"),
        ({"templates": (3,)}, "templates need texts with a {}"),
        ({"templates": ("a {}", "a {}")}, "templates need to be distinct"),
        ({"base": "none", "quirks": {"base_full_stop"}}, "leaves no sentence that base_full_stop could change"),
    ],
)
def test_a_wrong_part_is_refused_in_a_sentence(change, sentence):
    with pytest.raises(UserError, match=sentence):
        AdaptSettings(**change)


def test_a_template_in_words_that_a_clip_never_saw_is_refused_before_any_step(tiny_generator, tiny_clip, short, monkeypatch):
    monkeypatch.setattr(tiny_clip, "words", ["a", "photo", "sketch", "of"])
    monkeypatch.setattr(type(tiny_generator.synthesis), "forward", lambda *args, **options: 1 / 0)
    with pytest.raises(UserError, match="quux"):
        adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", replace(short, templates=("a quux of a {}",)), progress=False)
