"""Each further method: it trains what it says and only that, its loss falls, and it does so the same way twice."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import METHODS, adapt
from iplkit.adapt.domain_modulation import convolutions, factors, fold, modulate
from iplkit.adapt.draws import draw
from iplkit.adapt.moments import moment_loss, variations
from iplkit.errors import UserError

MORE = ("ipl_star", "style_shift", "domain_modulation", "moments", "air", "mix")
TRAINED = {  # suffixes of the parameters that may differ from the source's afterwards
    "style_shift": (".affine.bias",),
    "domain_modulation": (".affine.bias", ".affine.weight"),
}


@pytest.fixture
def steady(short):
    """The same images each time a loss is taken, and long enough to see it fall."""
    return replace(short, steps=12, batch=4, lr=0.004, views=0, noise="none", ema=0.0, selector="all", floor=1.0, anchor_start=4, anchor_every=4, anchor_prompt_steps=3, variations=4)


def run(generator, clip, settings, method, **options):
    settings = replace(settings, second="statue" * (method == "mix"), lr=0.05 if method in TRAINED else settings.lr)
    return adapt(generator, clip, method, "photo", "sketch", settings, progress=False, **options)


def changed(result, source):
    pairs = zip(result.generator.named_parameters(), source.parameters(), strict=True)
    return {name for (name, new), old in pairs if not torch.equal(new, old)}


@pytest.mark.parametrize("method", MORE)
def test_a_method_trains_what_it_says_lowers_its_loss_and_repeats_itself(tiny_generator, tiny_clip, steady, method):
    result, again = (run(tiny_generator, tiny_clip, steady, method) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(result.generator.state_dict().values(), again.generator.state_dict().values(), strict=True))
    losses = [row["loss"] for row in result.log]
    first, last = (losses[:4], losses[-4:]) if method != "air" else (losses[4:6], losses[6:8])  # an anchor adds a term
    assert sum(last) / len(last) < sum(first) / len(first)
    moved = changed(result, tiny_generator)
    allowed = TRAINED.get(method, ("",))
    assert moved and all(name.startswith("synthesis.") and name.endswith(allowed) for name in moved)
    assert result.generator.state_dict().keys() == tiny_generator.state_dict().keys()


def test_a_style_shift_is_the_same_vector_for_every_image(tiny_generator, tiny_clip, steady, generator):
    adapted = run(tiny_generator, tiny_clip, steady, "style_shift").generator
    ws = tiny_generator.mapping(torch.randn(3, 32, generator=generator))
    for name, before in tiny_generator.synthesis.styles(ws).items():
        shift = adapted.synthesis.styles(ws)[name] - before
        assert shift.abs().max() > 0
        assert_close(shift, shift[:1].expand_as(shift), atol=1e-5, rtol=0)


def test_domain_modulation_trains_one_number_a_channel_and_multiplies_styles_by_it(tiny_generator, tiny_clip, steady, generator):
    adapted = run(tiny_generator, tiny_clip, steady, "domain_modulation").generator
    ws = tiny_generator.mapping(torch.randn(3, 32, generator=generator))
    before, after = tiny_generator.synthesis.styles(ws), adapted.synthesis.styles(ws)
    for name in before:
        ratio = after[name] / before[name]
        assert_close(ratio, ratio[:1].expand_as(ratio), atol=1e-3, rtol=1e-3)
        assert (ratio - 1).abs().max() > 0.01 or name.startswith("rgb")
    modulate(adapted)
    assert sum(p.numel() for p in factors(adapted, ())) == sum(layer.weight.shape[1] for layer in convolutions(adapted))


def test_putting_factors_on_and_folding_them_in_leaves_the_images_as_they_were(tiny_generator, generator):
    ws = tiny_generator.mapping(torch.randn(2, 32, generator=generator))
    draw_images = lambda: tiny_generator.synthesis(ws, noise_mode="const")  # noqa: E731
    before = draw_images()
    modulate(tiny_generator)
    assert_close(draw_images(), before, atol=1e-6, rtol=0)
    for factor in factors(tiny_generator, ()):
        factor.data.uniform_(0.5, 2, generator=generator)
    changed = draw_images()
    fold(tiny_generator)
    assert_close(draw_images(), changed, atol=1e-4, rtol=1e-4)
    assert (changed - before).abs().max() > 1e-3


def test_the_moment_loss_is_0_for_equal_clouds_and_sees_mean_and_spread(generator):
    cloud = F.normalize(torch.randn(6, 24, generator=generator), dim=-1)
    assert float(moment_loss(cloud[torch.randperm(6, generator=generator)], cloud, 1.0)) < 1e-10
    mean = cloud.mean(dim=0, keepdim=True)
    collapsed = mean.expand(6, -1)  # the mean is right, the spread is gone
    assert float(moment_loss(collapsed, cloud, 0.0)) < 1e-10 < 0.01 < float(moment_loss(collapsed, cloud, 1.0))
    slow = sum((row - mean[0]).outer(row - mean[0]) for row in cloud) / 6
    assert_close(moment_loss(collapsed, cloud, 1.0), slow.square().sum(), atol=1e-6, rtol=1e-5)


def test_variations_keep_their_angle_stay_in_the_span_and_part_from_each_other(generator):
    features = F.normalize(torch.randn(1, 24, generator=generator) + 0.3 * torch.randn(9, 24, generator=generator), dim=-1)
    texts = variations(features, 5, 0.25, draw(0, "variations"))
    center = F.normalize(features.mean(dim=0), dim=-1)
    assert_close(texts @ center, torch.full((5,), 0.25).cos(), atol=1e-5, rtol=0)
    rank = torch.linalg.matrix_rank(torch.cat([features, center[None]]), tol=1e-4)
    assert torch.linalg.matrix_rank(torch.cat([features, center[None], texts]), tol=1e-4) == rank
    between = F.normalize(texts - (texts @ center)[:, None] * center, dim=-1)
    between = between @ between.T - torch.eye(5)
    assert between.abs().max() < 0.3


def test_a_mixture_goes_from_the_first_target_to_the_second(tiny_generator, tiny_clip, steady):
    settings = replace(steady, steps=3)
    loss = lambda method, target, **c: [r["loss"] for r in adapt(tiny_generator, tiny_clip, method, "photo", target, replace(settings, **c), progress=False).log]  # noqa: E731
    assert_close(torch.tensor(loss("mix", "sketch", second="statue", share=0.0)), torch.tensor(loss("nada", "sketch")), atol=1e-5, rtol=0)
    assert_close(torch.tensor(loss("mix", "sketch", second="statue", share=1.0)), torch.tensor(loss("nada", "statue")), atol=1e-5, rtol=0)
    with pytest.raises(UserError, match="mix needs another target in the setting 'second'"):
        adapt(tiny_generator, tiny_clip, "mix", "photo", "sketch", settings, progress=False)


def test_before_its_first_anchor_air_is_nada_and_afterwards_it_is_not(tiny_generator, tiny_clip, steady):
    a, n = (run(tiny_generator, tiny_clip, replace(steady, steps=6), m).log for m in ("air", "nada"))
    assert [r["loss"] for r in a[:4]] == [r["loss"] for r in n[:4]]
    assert a[4]["loss"] > n[4]["loss"] + 0.5  # at its birth the anchor equals the generator: a term of 1


@pytest.mark.parametrize("stop", [5, 8])
def test_air_remembers_its_anchor_over_an_interruption(tiny_generator, tiny_clip, steady, tmp_path, monkeypatch, stop):
    import iplkit.adapt.loop as loop

    settings = replace(steady, steps=10, save_every=1)
    whole = run(tiny_generator, tiny_clip, settings, "air").generator
    step_loss = loop.step_loss
    monkeypatch.setattr(loop, "step_loss", lambda *a: step_loss(*a) if a[-1] < stop else (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(tiny_generator, tiny_clip, settings, "air", resume_dir=tmp_path)
    monkeypatch.setattr(loop, "step_loss", step_loss)
    again = run(tiny_generator, tiny_clip, settings, "air", resume_dir=tmp_path).generator
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))


def test_a_method_that_remembers_takes_one_clip(tiny_generator, tiny_clip, steady):
    with pytest.raises(UserError, match="air needs a single CLIP"):
        run(tiny_generator, [tiny_clip, tiny_clip], replace(steady, clip_weights=(1.0, 1.0)), "air")


def test_all_of_these_are_registered():
    assert set(MORE) < set(METHODS)
