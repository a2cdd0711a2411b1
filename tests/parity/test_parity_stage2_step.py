"""Whole steps of stage 2 in upstream's order of work and with all its quirks, for IPL and for StyleGAN-NADA."""

import copy
from dataclasses import replace

import pytest
import slow_ipl as slow
import torch
from torch.testing import assert_close

from iplkit.adapt import PAPER, adapt
from iplkit.adapt.draws import draw
from iplkit.adapt.methods import known_templates
from iplkit.adapt.settings import AdaptSettings

SEED, STEPS, TARGET = 3, 2, "werewolf"
SIZES = dict(steps=STEPS, batch=2, select_batch=4, select_micro=3, mapper_steps=2, mapper_batch=4, mapper_pool=6)


def upstream_run(source, clip, settings: AdaptSettings, direction, share):
    """The published loop; `direction` gives unit text moves for w. Returns losses, rows and gradients."""
    target = copy.deepcopy(source)
    parameters = list(target.synthesis.parameters())
    adam = slow.Adam(parameters, settings.lr, (0.0, settings.beta2))
    losses, chosen, gradients = [], [], []
    for step in range(STEPS):
        # 1. choose layers: one SGD step on W+ toward the bare word; skipped only where the result is known
        k = int(share * source.num_ws + 1e-9)
        voters = source.mapping(torch.randn(settings.select_batch, 32, generator=draw(SEED, "selection", step)))
        target.requires_grad_(False)
        moves = slow.row_moves(target, clip, TARGET, voters)
        rows = sorted(moves.topk(k).indices.tolist())
        trained = {id(p) for p in slow.published_layers(target, rows)}
        # 2. both images of the same w, each with noise of its own
        ws = source.mapping(torch.randn(settings.batch, 32, generator=draw(SEED, "z", step)))
        images_source = source.synthesis(ws, noise_mode="random", generator=draw(SEED, "noise of source", step))
        for p in parameters:
            p.requires_grad_(id(p) in trained)
        images = target.synthesis(ws, noise_mode="random", generator=draw(SEED, "noise of target", step))
        # 3. the loss without a guard, Adam on all parameters
        a, b = slow.image_features(clip, images_source), slow.image_features(clip, images)
        move = slow.unit(slow.unit(b) - slow.unit(a))
        text = direction(ws[:, 0])
        loss = sum(1 - slow.cosine(move[i], text[i]) for i in range(len(ws))) / len(ws)
        free = [p for p in parameters if p.requires_grad]
        found = dict(zip(map(id, free), torch.autograd.grad(loss, free, allow_unused=True), strict=True))
        gradients.append([found.get(id(p)) for p in parameters])
        adam.step(gradients[-1])
        losses.append(float(loss.detach()))
        chosen.append(rows)
    return losses, chosen, gradients


def upstream_updates(source, settings, gradients):
    """Adam and the average of published IPL on given gradients: the target and its average."""
    target, average = copy.deepcopy(source), copy.deepcopy(source)
    adam = slow.Adam(target.synthesis.parameters(), settings.lr, (0.0, settings.beta2))
    for step in gradients:
        adam.step(step)
        with torch.no_grad():
            for mean, p in zip(average.synthesis.parameters(), target.synthesis.parameters(), strict=True):
                mean.copy_(settings.ema * mean + (1 - settings.ema) * p)
    return target, average


def compare(result, ours, wanted, source, settings):
    """Losses, chosen rows and gradients of the whole steps; then the updates on the same gradients."""
    losses, rows, gradients = wanted
    assert_close(torch.tensor([row["loss"] for row in result.log]), torch.tensor(losses), atol=1e-5, rtol=1e-5)
    assert [row["rows"] for row in result.log] == rows
    for a, b in zip(ours, gradients, strict=True):
        slow.same_gradients(a, b)
    target, average = upstream_updates(source, settings, ours)
    saved = average if result.method == "ipl" else target
    for (name, p), q in zip(result.generator.named_parameters(), saved.parameters(), strict=True):
        assert_close(p, q, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")
    assert any((p != q).any() for p, q in zip(saved.parameters(), source.parameters(), strict=True))


def settings_of(method):
    return replace(PAPER[method], **SIZES)


def test_two_steps_of_ipl(clip, source, gradients_of):
    settings = settings_of("ipl")
    result = adapt(source, clip, "ipl", "photo", TARGET, settings, SEED, progress=False)
    weights = dict(result.mapper.named_parameters())
    base = slow.text_feature(clip, "a photo of a")  # the class is lost: one sentence for both

    @torch.no_grad()
    def direction(w):
        prompts = slow.mapper_prompts(weights, w, 4)
        start, end = (slow.prompt_features(clip, prompts, f"a photo of a {word}") + base for word in ("photo", TARGET))
        return slow.unit(slow.unit(end) - slow.unit(start))

    wanted = upstream_run(source, clip, settings, direction, settings.rows_share)
    compare(result, gradients_of[-STEPS:], wanted, source, settings)
    assert len(wanted[1][0]) == 4


@pytest.mark.parametrize("share", [1.0, 2 / 3])
def test_two_steps_of_nada(clip, source, share, gradients_of):
    settings = replace(settings_of("nada"), rows_share=share)
    settings = replace(settings, quirks=settings.quirks | {"no_guard", "adam_ages_unchosen"})
    result = adapt(source, clip, "nada", "photo", TARGET, settings, SEED, progress=False)
    delta = slow.nada_direction(clip, "photo", TARGET, known_templates(clip))
    wanted = upstream_run(source, clip, settings, lambda w: delta.expand(len(w), -1), share)
    compare(result, gradients_of, wanted, source, settings)
