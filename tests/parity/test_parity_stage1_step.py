"""Whole steps of stage 1 in upstream's order of work: images drawn in the step, 77 rows a sentence, Adam by hand."""

from dataclasses import replace

import pytest
import slow_ipl as slow
import torch
from torch.testing import assert_close

from iplkit.adapt import PAPER
from iplkit.adapt.alignment import prompt_alignment, prompt_anchor
from iplkit.adapt.draws import draw
from iplkit.adapt.stage1 import latent_pool, make_context, new_mapper, train_mapper
from iplkit.clip.prompts import template_anchor

N, SEED, STEPS, TARGET = 6, 5, 3, "werewolf"
LIST = ("a face with yellow eyes", "grey fur and sharp teeth")


@pytest.fixture
def settings():
    return replace(PAPER["ipl"], mapper_batch=N, mapper_pool=N, mapper_steps=STEPS, lambda_domain=0.7, lambda_source=0.3)


def upstream_step(weights, adam, source, clip, templates, settings, align):
    """One iteration as published; the draws are those of our pool. Returns the loss and the gradients."""
    draws = draw(SEED, "pool")
    z = torch.randn(N, 32, generator=draws)
    w = source.mapping(z)[:, 0]
    prompts = slow.mapper_prompts(weights, w, 4)
    learned = [slow.prompt_features(clip, prompts, f"a photo of a {word}") for word in ("photo", TARGET)]
    images = source.synthesis(source.mapping(z), noise_mode="random", generator=draws)  # mapped a second time
    bases = [slow.text_feature(clip, f"a photo of a {word}.") for word in ("photo", TARGET)]
    anchors = [slow.anchor(clip, word, templates) for word in ("photo", TARGET)]
    lambdas = (settings.lambda_domain, settings.lambda_source)
    loss = slow.stage1_loss(slow.image_features(clip, images), *learned, *bases, *anchors, clip.scale, *lambdas)
    if align:
        center = sum(slow.unit(slow.text_feature(clip, text)) for text in LIST) / len(LIST)
        loss = loss + lambdas[0] * 0.2 * sum(1 - slow.cosine(t + bases[1], center) for t in learned[1]) / N
    gradients = torch.autograd.grad(loss, list(weights.values()))
    adam.step(gradients)
    return float(loss.detach()), gradients


@pytest.mark.parametrize("align", [False, True], ids=["IPL", "IPL*"])
def test_three_steps_give_the_same_losses_gradients_and_prompts(clip, source, templates, settings, align, gradients_of):
    context = make_context(clip, "photo", TARGET, settings)
    start = new_mapper(clip, context, settings, SEED)
    names = [name for name, _ in start.named_parameters()]
    weights, ours = ({name: p.detach().clone().requires_grad_() for name, p in start.named_parameters()} for _ in range(2))
    adam = slow.Adam(weights.values(), settings.mapper_lr, (0.9, 0.999))
    wanted = [upstream_step(weights, adam, source, clip, templates, settings, align) for _ in range(STEPS)]

    pool = latent_pool(source, clip, N, SEED)
    anchors = tuple(template_anchor(clip, word, templates) for word in ("photo", TARGET))
    term = prompt_alignment(prompt_anchor(clip, LIST)) if align else None
    mapper, log = train_mapper(clip, context, pool, anchors, settings, SEED, progress=False, align=term)

    assert_close(torch.tensor([row["loss"] for row in log]), torch.tensor([loss for loss, _ in wanted]), atol=1e-5, rtol=1e-5)
    slow.same_gradients(gradients_of[0], wanted[0][1])
    again = slow.Adam(ours.values(), settings.mapper_lr, (0.9, 0.999))
    for gradients in gradients_of:
        again.step(gradients)
    for name in names:  # the optimizer, on the same gradients
        assert_close(mapper.get_parameter(name), ours[name].detach(), atol=1e-5, rtol=1e-5)
    with torch.no_grad():  # and all together
        assert_close(mapper(pool.w), slow.mapper_prompts(weights, pool.w, 4), atol=1e-5, rtol=1e-5)
