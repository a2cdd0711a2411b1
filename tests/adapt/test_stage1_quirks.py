"""What the published code of stage 1 does differently, one switch or formula at a time, and what it changes."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings
from iplkit.adapt.stage1 import Pool, TextSide, make_context, new_mapper, train_mapper
from iplkit.clip.prompts import template_anchor
from iplkit.losses import domain_loss, ipl_stage1_loss


def sides(clip, stage, quirks=(), prompt="a photo of a"):
    settings = AdaptSettings(quirks=quirks, prompt=prompt)
    context = make_context(clip, "photo", "werewolf", settings)
    return [TextSide(clip, context, which, settings, stage) for which in ("source", "target")]


@pytest.fixture
def prompts(generator):
    return torch.randn(6, 4, 64, generator=generator)


def unit_move(clip, prompts, **options):
    source, target = (F.normalize(side(prompts), dim=-1) for side in sides(clip, 2, **options))
    return F.normalize(target - source, dim=-1)


def test_without_its_class_the_manual_sentence_is_one_for_both_domains(tiny_clip):
    source, target = sides(tiny_clip, 2, {"base_without_class"})
    assert torch.equal(source.base, target.base)
    assert source.sentence == target.sentence == "a photo of a"
    with_class = sides(tiny_clip, 2)
    assert (with_class[0].base - with_class[1].base).norm() > 0.1 * with_class[0].base.norm()


def test_without_its_class_the_manual_sentence_turns_the_text_direction(tiny_clip, prompts):
    quirk, ours = unit_move(tiny_clip, prompts, quirks={"base_without_class"}), unit_move(tiny_clip, prompts)
    assert F.cosine_similarity(quirk, ours).max() < 0.99
    # the directions of different images are less alike: nothing common is added to them
    spread = [float(1 - (move @ move.T)[~torch.eye(6, dtype=torch.bool)].mean()) for move in (quirk, ours)]
    assert spread[0] > spread[1]


def test_without_its_class_is_a_quirk_of_stage_2_alone(tiny_clip):
    assert [side.sentence for side in sides(tiny_clip, 1, {"base_without_class"})] == ["a photo of a photo", "a photo of a werewolf"]


def test_the_full_stop_stands_in_the_added_sentence_only(tiny_clip, prompts):
    with_stop, ours = sides(tiny_clip, 1, {"base_full_stop"})[1], sides(tiny_clip, 1)[1]
    assert with_stop.sentence == "a photo of a werewolf." and ours.sentence == "a photo of a werewolf"
    assert torch.equal(with_stop.learned(prompts), ours.learned(prompts))
    assert (with_stop.base - ours.base).norm() > 1e-3
    assert_close(with_stop(prompts) - ours(prompts), (with_stop.base - ours.base).expand(6, -1), atol=1e-5, rtol=1e-5)


def test_two_features_are_added_as_long_as_clip_made_them(tiny_clip, prompts):
    """Published: unnormalized + unnormalized, then to the sphere. The longer one has the larger say."""
    side = sides(tiny_clip, 1)[1]
    assert_close(side(prompts), side.learned(prompts) + side.base)
    each_unit = F.normalize(side.learned(prompts), dim=-1) + F.normalize(side.base, dim=-1)
    assert F.cosine_similarity(side(prompts), each_unit).min() < 1 - 1e-6


def test_a_rectified_mapper_writes_prompts_that_lean_to_one_side(tiny_clip, generator):
    w = torch.randn(64, 512, generator=generator)
    context = make_context(tiny_clip, "photo", "werewolf", AdaptSettings())
    quirk, ours = (new_mapper(tiny_clip, context, AdaptSettings(quirks=q), seed=0)(w) for q in ({"mapper_last_activation"}, ()))
    assert_close(quirk, torch.where(ours > 0, ours, 0.2 * ours) * 2**0.5, atol=1e-5, rtol=1e-5)
    centers = [F.normalize(p.flatten(1), dim=-1).mean(dim=0).norm() for p in (quirk, ours)]
    assert centers[0] > centers[1]  # prompts of different images are more alike


def test_lambda_source_acts_inside_lambda(generator):
    image, source, target = torch.randn(3, 5, 24, generator=generator)
    others = torch.randn(4, 1, 24, generator=generator)

    def loss(lambda_l, lambda_src):
        return float(ipl_stage1_loss(image, source, target, *others, scale=10.0, lambda_l=lambda_l, lambda_src=lambda_src)[0])

    term = float(domain_loss(source + others[0], others[2]))
    assert loss(2.0, 0.5) - loss(2.0, 0.0) == pytest.approx(2.0 * 0.5 * term, abs=1e-5)
    assert loss(0.0, 0.5) == loss(0.0, 0.0)


def test_an_anchor_that_stays_shorter_than_one_changes_nothing(tiny_clip, generator):
    features = torch.randn(5, 24, generator=generator, requires_grad=True)
    anchor = template_anchor(tiny_clip, "werewolf", ("a {}.", "the {}", "art of a {}"))
    losses = [domain_loss(features, a) for a in (anchor, F.normalize(anchor, dim=-1))]
    assert anchor.norm() < 1
    assert_close(*losses, atol=1e-6, rtol=1e-6)
    assert_close(*[torch.autograd.grad(loss, features)[0] for loss in losses], atol=1e-6, rtol=1e-5)


def test_the_words_of_the_prompt_reach_only_the_added_sentence(tiny_clip, prompts):
    one, other = sides(tiny_clip, 1)[1], sides(tiny_clip, 1, prompt="X X X X")[1]
    assert torch.equal(one.learned(prompts), other.learned(prompts))
    assert (one.base - other.base).norm() > 1e-3


def test_every_quirk_of_stage_1_reaches_the_trained_mapper(tiny_clip, short, generator):
    pool = Pool(torch.randn(8, 512, generator=generator), torch.randn(8, 24, generator=generator))
    anchors = tuple(template_anchor(tiny_clip, word, ("a {}.",)) for word in ("photo", "werewolf"))

    def prompts_after(*quirks):
        settings = replace(short, mapper_steps=5, mapper_batch=8, quirks=quirks)
        context = make_context(tiny_clip, "photo", "werewolf", settings)
        return train_mapper(tiny_clip, context, pool, anchors, settings, 0, progress=False)[0](pool.w)

    ours = prompts_after()
    assert torch.equal(prompts_after(), ours)
    assert torch.equal(prompts_after("base_without_class"), ours)  # stage 2 only
    for quirk in ("base_full_stop", "mapper_last_activation"):
        assert (prompts_after(quirk) - ours).abs().max() > 1e-5
