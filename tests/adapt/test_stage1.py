from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import train_mapper
from iplkit.adapt.stage1 import latent_pool, make_context, new_mapper
from iplkit.clip.prompts import template_anchor
from iplkit.clip.text import encode_prompt_slow
from iplkit.errors import UserError


def run(clip, pool, settings, seed=0):
    context = make_context(clip, "photo", "sketch", settings)
    anchors = tuple(template_anchor(clip, word, ("a {}.", "the {}")) for word in ("photo", "sketch"))
    return train_mapper(clip, context, pool, anchors, settings, seed, progress=False)


def test_the_first_loss_is_the_definition(tiny_generator, tiny_clip, short):
    settings = replace(short, mapper_pool=4, mapper_batch=4, mapper_steps=1, lambda_domain=0.7, lambda_source=0.3)
    pool = latent_pool(tiny_generator, tiny_clip, 4, seed=0)
    context = make_context(tiny_clip, "photo", "sketch", settings)
    prompts = new_mapper(tiny_clip, context, settings, seed=0)(pool.w)
    learned, anchor = {}, {}
    for which, word in (("source", "photo"), ("target", "sketch")):
        base = tiny_clip.encode_text(tiny_clip.tokenize([f"a photo of a {word}"]))
        learned[which] = F.normalize(encode_prompt_slow(tiny_clip, *context.assemble(prompts, which)) + base, dim=-1)
        anchor[which] = F.normalize(template_anchor(tiny_clip, word, ("a {}.", "the {}")), dim=-1)
    logits = tiny_clip.logit_scale.exp() * F.normalize(pool.features, dim=-1) @ learned["source"].T
    own = torch.arange(4)
    contrastive = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    domain, source = ((1 - (learned[w] * anchor[w]).sum(-1)).mean() for w in ("target", "source"))
    _, log = run(tiny_clip, pool, settings)
    wanted = contrastive + 0.7 * (domain + 0.3 * source)
    assert_close(torch.tensor(log[0]["loss"]), wanted.detach(), atol=1e-5, rtol=1e-5)


def test_the_mapper_learns_to_tell_images_apart(tiny_generator, tiny_clip, short):
    pool = latent_pool(tiny_generator, tiny_clip, 8, seed=0)
    settings = replace(short, mapper_steps=30, mapper_batch=8)
    mapper, log = run(tiny_clip, pool, settings)
    assert log[-1]["contrastive"] < log[0]["contrastive"]
    assert not any(p.requires_grad for p in mapper.parameters())


def test_clip_is_left_without_gradients(tiny_generator, tiny_clip, short):
    run(tiny_clip, latent_pool(tiny_generator, tiny_clip, 8, seed=0), short)
    assert all(p.grad is None for p in tiny_clip.parameters())


def test_a_cached_pool_is_the_pool(tiny_generator, tiny_clip, tmp_path):
    file = tmp_path / "pool.safetensors"
    first = latent_pool(tiny_generator, tiny_clip, 5, seed=0, cache=file)
    again = latent_pool(None, None, 5, seed=0, cache=file)
    assert torch.equal(first.w, again.w) and torch.equal(first.features, again.features)


def test_a_pool_smaller_than_a_batch_is_refused(tiny_generator, tiny_clip, short):
    with pytest.raises(UserError, match="needs a pool of at least 4 latents; got 3"):
        run(tiny_clip, latent_pool(tiny_generator, tiny_clip, 3, seed=0), short)
