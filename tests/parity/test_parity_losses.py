"""Each formula of IPL and StyleGAN-NADA equals its slow definition to 1e-5, values and gradients."""

import pytest
import slow_ipl as slow
import torch
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings
from iplkit.adapt.alignment import prompt_alignment, prompt_anchor
from iplkit.adapt.directions import averaged_direction, cosine_loss, image_direction
from iplkit.adapt.selectors import adaptive_layers, row_scores
from iplkit.adapt.stage1 import TextSide, make_context
from iplkit.clip.mapper import PromptMapper
from iplkit.clip.prompts import PromptContext, learned_text_features, template_anchor
from iplkit.losses import directional_loss, ipl_stage1_loss, thesis_directional_loss

CLOSE = dict(atol=1e-5, rtol=1e-5)
LIST = ("a face with yellow eyes", "grey fur and sharp teeth", "a wolf man at night")


def test_a_sentence(clip):
    for text in ("a photo of a photo", "a photo of a werewolf.", "ukiyo-e"):
        assert_close(clip.encode_text(clip.tokenize([text]))[0], slow.text_feature(clip, text), **CLOSE)


@pytest.mark.parametrize("target", ["disney", "anime painting", "ukiyo-e"])
def test_learned_prompts_and_their_gradients(clip, generator, target):
    prompts = torch.randn(3, 4, 64, generator=generator).requires_grad_()
    context = PromptContext(clip, "a photo of a", 4, "photo", target)
    weight = torch.randn(24, generator=generator)
    ours = learned_text_features(clip, prompts, context, "target")
    wanted = slow.prompt_features(clip, prompts, f"a photo of a {target}")
    assert_close(ours, wanted, **CLOSE)
    assert_close(*[torch.autograd.grad((f @ weight).sum(), prompts)[0] for f in (ours, wanted)], **CLOSE)


def test_images(clip, generator):
    images = 2.4 * torch.rand(3, 3, 16, 16, generator=generator) - 1.2  # outside [-1, 1] too: nothing is clamped
    assert_close(clip.encode_image(images), slow.image_features(clip, images), **CLOSE)


def test_anchors(clip, templates):
    assert_close(template_anchor(clip, "werewolf", templates)[0], slow.anchor(clip, "werewolf", templates), **CLOSE)
    assert_close(prompt_anchor(clip, LIST)[0], sum(slow.unit(slow.text_feature(clip, text)) for text in LIST) / 3, **CLOSE)


def test_the_mapper(generator):
    mapper, w = PromptMapper(64, 4, 48, seed=3), torch.randn(5, 48, generator=generator)
    assert_close(mapper(w), slow.mapper_prompts(mapper.state_dict(), w, 4), **CLOSE)


@pytest.mark.parametrize("lambdas", [(1.0, 0.0), (0.7, 0.3), (0.0, 1.0)])
def test_the_loss_of_stage_1(generator, lambdas):
    image, source, target = (torch.randn(6, 24, generator=generator).requires_grad_() for _ in range(3))
    bases = torch.randn(4, 24, generator=generator)
    ours, _ = ipl_stage1_loss(image, source, target, *bases[:, None], scale=100.0, lambda_l=lambdas[0], lambda_src=lambdas[1])
    wanted = slow.stage1_loss(image, source, target, *bases, 100.0, *lambdas)
    assert_close(ours, wanted, **CLOSE)
    ours, wanted = (torch.autograd.grad(loss, (source, target), allow_unused=True, materialize_grads=True) for loss in (ours, wanted))
    assert_close(ours, wanted, **CLOSE)


def test_the_alignment_term(clip, generator):
    features, center = torch.randn(5, 24, generator=generator), prompt_anchor(clip, LIST)
    wanted = 0.2 * sum(1 - slow.cosine(feature, center[0]) for feature in features) / 5
    assert_close(prompt_alignment(center)(features), wanted, **CLOSE)


@pytest.mark.parametrize("text_rows", [1, 5])
def test_the_directional_loss(generator, text_rows):
    source, target = (torch.randn(5, 24, generator=generator).requires_grad_() for _ in range(2))
    a, b = torch.randn(2, text_rows, 24, generator=generator)
    wanted = slow.directional_loss(source, target, *((a, b) if text_rows > 1 else (a[0], b[0])))
    delta = slow.unit(slow.unit(b) - slow.unit(a))
    for ours in (directional_loss(source, target, a, b, eps=0.0), cosine_loss(image_direction(source, target, 1e-12), delta)):
        assert_close(ours, wanted, **CLOSE)
        assert_close(torch.autograd.grad(ours, target, retain_graph=True), torch.autograd.grad(wanted, target, retain_graph=True), **CLOSE)


def test_the_directional_loss_of_the_thesis_second_version(clip, generator):
    a, b, text_a, text_b = (torch.randn(5, 24, generator=generator).requires_grad_() for _ in range(4))
    listed = torch.stack([slow.text_feature(clip, text) for text in LIST])
    base = slow.text_feature(clip, "a photo of a")
    ours = thesis_directional_loss(a, b, text_a, text_b, clip.encode_text(clip.tokenize(["a photo of a"])), prompt_anchor(clip, LIST), eps=0.0)
    wanted = slow.thesis_directional_loss(a, b, text_a, text_b, base, listed)
    assert_close(ours, wanted, **CLOSE)
    assert_close(*(torch.autograd.grad(loss, (b, text_b)) for loss in (ours, wanted)), **CLOSE)


def test_the_averaged_direction(clip, templates):
    ours = averaged_direction(clip, "photo", "werewolf", templates)(torch.zeros(1, 512))
    assert_close(ours[0], slow.nada_direction(clip, "photo", "werewolf", templates), **CLOSE)


@pytest.mark.parametrize("stage, quirks, sentences", [
    (1, (), ("a photo of a photo", "a photo of a werewolf")),
    (1, ("base_full_stop",), ("a photo of a photo.", "a photo of a werewolf.")),
    (2, ("base_without_class",), ("a photo of a", "a photo of a")),
])  # fmt: skip
def test_the_text_sides_of_both_stages(clip, generator, stage, quirks, sentences):
    settings, prompts = AdaptSettings(quirks=quirks), torch.randn(3, 4, 64, generator=generator)
    context = make_context(clip, "photo", "werewolf", settings)
    for which, word, sentence in zip(("source", "target"), ("photo", "werewolf"), sentences, strict=True):
        wanted = slow.prompt_features(clip, prompts, f"a photo of a {word}") + slow.text_feature(clip, sentence)
        assert_close(TextSide(clip, context, which, settings, stage)(prompts), wanted, **CLOSE)


@pytest.mark.parametrize("quirks, caption", [((), "a photo of a werewolf"), (("selection_bare_word", "selection_off_by_one"), "werewolf")])
def test_the_scores_of_layers(clip, source, generator, quirks, caption):
    ws = source.mapping(torch.randn(5, 32, generator=generator))
    text = clip.encode_text(clip.tokenize([caption]))
    ours, moves = row_scores(source, clip, text, ws, micro_batch=2), slow.row_moves(source, clip, caption, ws)
    assert_close(0.01 * ours, moves, atol=1e-9, rtol=1e-5)
    selector = adaptive_layers(clip, "werewolf", AdaptSettings(quirks=quirks, select_batch=5), seed=4)
    assert len(selector.choose(source, 0)) == 4


def test_the_published_table_of_layers(clip, source):
    selector = adaptive_layers(clip, "werewolf", AdaptSettings(quirks={"selection_off_by_one"}), seed=0)
    for rows in ((0,), (1,), (2, 4), (5, 3)):
        assert list(map(id, selector.parameters(source, rows))) == list(map(id, slow.published_layers(source, rows)))
