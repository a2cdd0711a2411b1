"""IPL*: prompts are pulled toward sentences that a person wrote, for any target class."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import train_mapper
from iplkit.adapt.alignment import prompt_alignment, prompt_anchor
from iplkit.adapt.methods import ipl_star
from iplkit.adapt.look import Look
from iplkit.adapt.stage1 import TextSide, latent_pool, make_context, pool_path
from iplkit.adapt.task import Task
from iplkit.clip.prompts import template_anchor
from iplkit.errors import UserError

DISNEY = ("a princess with big round eyes", "a cheerful face with smooth shading", "a hand drawn fairy tale hero")
WEREWOLF = ("a face covered with grey fur", "a wolf with sharp teeth", "a snout under yellow eyes")
TEMPLATES = ("a {}.", "the {}")


def train(clip, pool, settings, target="werewolf", **options):
    context = make_context(clip, "photo", target, settings)
    anchors = tuple(template_anchor(clip, word, TEMPLATES) for word in ("photo", target))
    mapper, log = train_mapper(clip, context, pool, anchors, settings, 0, progress=False, **options)
    with torch.no_grad():
        return TextSide(clip, context, "target", settings, stage=1)(mapper(pool.w)), log


def closeness(features, anchor):
    return float(F.cosine_similarity(features, anchor).mean())


@pytest.fixture
def pool(tiny_generator, tiny_clip):
    return latent_pool(tiny_generator, tiny_clip, 8, seed=0)


@pytest.fixture
def settings(short):
    return replace(short, mapper_steps=25, mapper_batch=8)


def test_the_term_is_its_formula(tiny_clip, generator):
    features = torch.randn(5, 24, generator=generator)
    rows = [tiny_clip.encode_text(tiny_clip.tokenize([text]))[0] for text in WEREWOLF]
    center = sum(row / row.norm() for row in rows) / 3
    wanted = sum(1 - torch.dot(f, center) / f.norm() / center.norm() for f in features) / 5
    assert_close(prompt_anchor(tiny_clip, WEREWOLF)[0], center, atol=1e-6, rtol=1e-5)
    assert_close(prompt_alignment(prompt_anchor(tiny_clip, WEREWOLF), 0.2)(features), 0.2 * wanted, atol=1e-6, rtol=1e-5)


def test_the_loss_is_contrastive_plus_lambda_times_domain_and_a_fifth_of_the_prompts(tiny_clip, pool, settings):
    settings = replace(settings, lambda_domain=0.7, mapper_steps=1)
    _, (row,) = train(tiny_clip, pool, settings, align=prompt_alignment(prompt_anchor(tiny_clip, WEREWOLF)))
    _, (plain,) = train(tiny_clip, pool, settings)
    _, (alone,) = train(tiny_clip, pool, settings, align=prompt_alignment(prompt_anchor(tiny_clip, WEREWOLF), 1.0))
    assert row["align"] == pytest.approx(0.2 * alone["align"], rel=1e-5)
    assert row["loss"] == pytest.approx(plain["loss"] + 0.7 * row["align"], abs=1e-5)
    assert row["loss"] == pytest.approx(row["contrastive"] + 0.7 * (row["domain"] + row["align"]), abs=1e-5)


def test_no_weight_is_ipl(tiny_clip, pool, settings):
    with_term, _ = train(tiny_clip, pool, settings, align=prompt_alignment(prompt_anchor(tiny_clip, WEREWOLF), 0.0))
    plain, _ = train(tiny_clip, pool, settings)
    assert_close(with_term, plain, atol=1e-6, rtol=1e-6)


def test_prompts_come_nearer_to_the_list_that_is_given(tiny_clip, pool, settings):
    anchor = prompt_anchor(tiny_clip, WEREWOLF)
    plain, _ = train(tiny_clip, pool, settings)
    pulled, _ = train(tiny_clip, pool, settings, align=prompt_alignment(anchor, 5.0))
    assert closeness(pulled, anchor) > closeness(plain, anchor)


def test_the_thesis_one_list_pulls_every_target_toward_disney(tiny_clip, pool, settings):
    disney, werewolf = (prompt_anchor(tiny_clip, prompts) for prompts in (DISNEY, WEREWOLF))
    as_written, _ = train(tiny_clip, pool, settings, align=prompt_alignment(disney, 5.0))
    mended, _ = train(tiny_clip, pool, settings, align=prompt_alignment(werewolf, 5.0))
    toward_disney = F.normalize(disney, dim=-1) - F.normalize(werewolf, dim=-1)
    assert closeness(as_written, toward_disney) > closeness(mended, toward_disney)


def test_the_second_version_is_another_anchor_and_no_further_term(tiny_clip, pool, settings):
    settings, anchor = replace(settings, mapper_steps=1), prompt_anchor(tiny_clip, WEREWOLF)
    context = make_context(tiny_clip, "photo", "werewolf", settings)
    anchors = (template_anchor(tiny_clip, "photo", TEMPLATES), anchor)
    _, (second,) = train_mapper(tiny_clip, context, pool, anchors, settings, 0, progress=False)
    _, (third,) = train(tiny_clip, pool, settings, align=prompt_alignment(anchor, 1.0))
    assert second["domain"] == pytest.approx(third["align"], abs=1e-6)
    assert second["loss"] == pytest.approx(third["loss"] - third["domain"], abs=1e-5)


def test_the_whole_method_runs_and_shares_ipls_pool(tiny_generator, tiny_clip, short, tmp_path):
    task = Task(tiny_generator, tiny_clip, "photo", "werewolf", short, 0, Look(tiny_clip, short, 0), TEMPLATES, tmp_path, False)
    recipe = ipl_star(replace(task, settings=replace(short, prompts=WEREWOLF)))
    assert [*recipe.mapper_log[0]][:6] == ["step", "loss", "contrastive", "domain", "source", "align"]
    assert pool_path(tmp_path, tiny_generator, tiny_clip, short.mapper_pool, 0).is_file()
    w = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    assert recipe.plugs.direction(w).shape == (2, 24)
    assert (ipl_star(task).mapper(w) - recipe.mapper(w)).abs().max() > 1e-6
    heavier = ipl_star(replace(task, settings=replace(short, prompts=WEREWOLF, align_weight=2.0)))
    assert heavier.mapper_log[0]["align"] == pytest.approx(10 * recipe.mapper_log[0]["align"], rel=1e-5)


def test_a_sentence_too_long_and_a_negative_weight_are_refused(tiny_clip):
    with pytest.raises(UserError, match="number 1 is not: a text needs at most 75 tokens"):
        prompt_anchor(tiny_clip, ["fur " * 90])
    with pytest.raises(UserError, match="must not be negative; got -1"):
        prompt_alignment(torch.ones(1, 24), -1)
