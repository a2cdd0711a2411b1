from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import train_mapper
from iplkit.adapt.stage1 import latent_pool, make_context, new_mapper, pool_path
from iplkit.clip.mapper import PromptMapper, load_mapper, save_mapper
from iplkit.clip.prompts import template_anchor
from iplkit.clip.text import encode_prompt_slow
from iplkit.clip.transformer_mapper import TransformerMapper
from iplkit.errors import UserError
from iplkit.stylegan2.differences import fingerprint


def run(clip, pool, settings, seed=0, target="sketch", **options):
    context = make_context(clip, "photo", target, settings)
    anchors = tuple(template_anchor(clip, word, ("a {}.", "the {}")) for word in ("photo", target))
    return train_mapper(clip, context, pool, anchors, settings, seed, progress=False, **options)


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


def test_a_cached_pool_is_the_pool_and_draws_nothing(tiny_generator, tiny_clip, tmp_path, monkeypatch):
    first = latent_pool(tiny_generator, tiny_clip, 5, seed=0, cache=tmp_path / "pool.safetensors")
    monkeypatch.setattr(type(tiny_generator.synthesis), "forward", lambda *args, **options: 1 / 0)
    again = latent_pool(tiny_generator, tiny_clip, 5, seed=0, cache=tmp_path / "pool.safetensors")
    assert torch.equal(first.w, again.w) and torch.equal(first.features, again.features)
    assert first.made_for == again.made_for


def test_a_cached_pool_of_something_else_is_computed_anew(tiny_generator, tiny_clip, tmp_path):
    file = tmp_path / "pool.safetensors"
    first = latent_pool(tiny_generator, tiny_clip, 5, seed=0, cache=file)
    assert not torch.equal(latent_pool(tiny_generator, tiny_clip, 5, seed=1, cache=file).w, first.w)
    assert len(latent_pool(tiny_generator, tiny_clip, 6, seed=1, cache=file).w) == 6
    with torch.no_grad():
        tiny_generator.synthesis.const.add_(1)
    other = latent_pool(tiny_generator, tiny_clip, 6, seed=1, cache=file)
    assert_close(other.features, latent_pool(tiny_generator, tiny_clip, 6, seed=1).features)


def test_every_target_domain_reuses_one_pool(tiny_generator, tiny_clip, short, tmp_path, monkeypatch):
    seen, encode = [], type(tiny_clip).encode_image
    monkeypatch.setattr(type(tiny_clip), "encode_image", lambda self, *a, **k: seen.append(1) or encode(self, *a, **k))
    file = pool_path(tmp_path, tiny_generator, tiny_clip, 8, 0)
    for target in ("sketch", "statue", "werewolf"):
        pool = latent_pool(tiny_generator, tiny_clip, 8, 0, file)
        mapper, _ = run(tiny_clip, pool, short, target=target)
        assert len(seen) == 1 and mapper.made_for["target"] == target


def test_a_trained_mapper_remembers_what_it_was_made_for(tiny_generator, tiny_clip, short, tmp_path):
    mapper, _ = run(tiny_clip, latent_pool(tiny_generator, tiny_clip, 8, seed=0), short)
    assert mapper.made_for | {"prompt": "a photo of a", "source": "photo", "target": "sketch"} == mapper.made_for
    save_mapper(tmp_path / "mapper.pt", mapper)
    assert load_mapper(tmp_path / "mapper.pt", 64, made_for=mapper.made_for).made_for == mapper.made_for
    with pytest.raises(UserError, match="trained with the generator"):
        load_mapper(tmp_path / "mapper.pt", 64, made_for={"generator": fingerprint(tiny_clip)})


def test_a_transformer_mapper_trains_in_its_place_and_its_dropout_repeats(tiny_generator, tiny_clip, short):
    pool = latent_pool(tiny_generator, tiny_clip, 8, seed=0)
    settings = replace(short, mapper_steps=4)

    def train():
        return run(tiny_clip, pool, settings, mapper=TransformerMapper("v3", "alone", width=64))

    before = torch.get_rng_state()
    (one, log), (same, _) = train(), train()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert not one.training and len(log) == 4
    assert not torch.equal(one.mapping[0].layers[0].linear1.weight, TransformerMapper("v3", width=64).mapping[0].layers[0].linear1.weight)


def test_a_mapper_of_other_sizes_is_refused_before_training(tiny_generator, tiny_clip, short):
    pool = latent_pool(tiny_generator, tiny_clip, 8, seed=0)
    for mapper in (PromptMapper(64, 3), PromptMapper(24, 4), PromptMapper(64, 4, w_dim=32)):
        with pytest.raises(UserError, match="write 4 vectors of width 64 from codes of 512 channels; it writes"):
            run(tiny_clip, pool, short, mapper=mapper)


def test_a_loss_that_is_no_number_stops_with_its_step(tiny_generator, tiny_clip, short):
    pool = latent_pool(tiny_generator, tiny_clip, 8, seed=0)
    broken = replace(pool, features=torch.full_like(pool.features, torch.nan))
    with pytest.raises(UserError, match="at step 1 it is nan"):
        run(tiny_clip, broken, short)


def test_a_pool_smaller_than_a_batch_is_refused(tiny_generator, tiny_clip, short):
    with pytest.raises(UserError, match="needs a pool of at least 4 latents; got 3"):
        run(tiny_clip, latent_pool(tiny_generator, tiny_clip, 3, seed=0), short)
