import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings
from iplkit.adapt.directions import averaged_direction, cosine_loss, image_direction, prompt_direction
from iplkit.adapt.stage1 import TextSide, make_context, new_mapper
from iplkit.losses import directional_loss


def test_above_the_floor_the_loss_is_the_published_one(generator):
    source, target, a, b = torch.randn(4, 5, 24, generator=generator)
    delta_text = F.normalize(F.normalize(b, dim=-1) - F.normalize(a, dim=-1), dim=-1)
    ours = cosine_loss(image_direction(source, target, floor=0.1), delta_text)
    assert_close(ours, directional_loss(source, target, a, b), atol=1e-6, rtol=0)


def test_equal_images_give_a_finite_gradient_along_the_text(generator):
    source = torch.randn(3, 24, generator=generator)
    target = source.clone().requires_grad_(True)
    delta_text = F.normalize(torch.randn(3, 24, generator=generator), dim=-1)
    cosine_loss(image_direction(source, target, floor=0.1), delta_text).backward()
    tangent = delta_text - (delta_text * F.normalize(source, dim=-1)).sum(-1, keepdim=True) * F.normalize(source, dim=-1)
    assert_close(F.normalize(-target.grad, dim=-1), F.normalize(tangent, dim=-1), atol=1e-5, rtol=0)
    assert target.grad.norm(dim=-1).max() < 10 / 3 / source.norm(dim=-1).min() + 1e-6  # 1 / floor, mean over 3


def test_the_averaged_direction_is_the_mean_over_templates(tiny_clip):
    templates = ("a photo of a {}.", "art of the {}")
    deltas = []
    for template in templates:
        a, b = (F.normalize(tiny_clip.encode_text(tiny_clip.tokenize([template.format(w)])), dim=-1) for w in ("photo", "sketch"))
        deltas.append(b - a)
    wanted = F.normalize(sum(deltas) / 2, dim=-1)
    assert_close(averaged_direction(tiny_clip, "photo", "sketch", templates)(torch.zeros(7, 512)), wanted, atol=1e-5, rtol=0)


def test_a_prompt_direction_does_not_see_its_neighbors(tiny_clip, generator):
    settings = AdaptSettings()
    context = make_context(tiny_clip, "photo", "sketch", settings)
    sides = [TextSide(tiny_clip, context, which, settings, stage=2) for which in ("source", "target")]
    direction = prompt_direction(new_mapper(tiny_clip, context, settings, seed=0), *sides)
    w = torch.randn(4, 512, generator=generator)
    together = direction(w)
    assert together.shape == (4, 24)
    assert_close(together.norm(dim=-1), torch.ones(4))
    assert_close(direction(w[1:2])[0], together[1], atol=1e-5, rtol=0)
    assert (together[0] - together[1]).norm() > 1e-4


def test_the_manual_sentence_keeps_its_class_word_unless_the_quirk_says_otherwise(tiny_clip):
    def sentences(stage, *quirks):
        settings = AdaptSettings(quirks=quirks)
        context = make_context(tiny_clip, "photo", "sketch", settings)
        return [TextSide(tiny_clip, context, which, settings, stage).sentence for which in ("source", "target")]

    assert sentences(1) == sentences(2) == ["a photo of a photo", "a photo of a sketch"]
    assert sentences(2, "base_without_class") == ["a photo of a", "a photo of a"]
    assert sentences(1, "base_without_class", "base_full_stop") == ["a photo of a photo.", "a photo of a sketch."]
