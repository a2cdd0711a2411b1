"""Batches drawn in parts: the same images and gradients, less memory, and a cost card that knows it before."""

from dataclasses import replace

import pytest
import torch
from small_models import small_generator

from iplkit.adapt.cost import compared, fit, machine_rate, parse_memory, predict
from iplkit.adapt.meter import Meter, measure
from iplkit.adapt.parts import Parts, draw_in_parts
from iplkit.adapt.settings import AdaptSettings
from iplkit.errors import UserError
from iplkit.stylegan2.generator import Generator, GeneratorConfig

SETTINGS = AdaptSettings(batch=4, selector="all", steps=10)
RATE, HELD = 1e11, 10**8  # operations a second, bytes


def drawn(parts, rows=None):
    """Images and the gradients of all weights of a wide generator."""
    generator = Generator(GeneratorConfig(128, (8, 8, 8, 8, 8, 4), w_dim=16, z_dim=16, n_mlp=1), seed=0)
    ws = generator.mapping(torch.randn(4, 16, generator=torch.Generator().manual_seed(0))).detach()
    noise = generator.synthesis.draw_noise(4, "random", torch.Generator().manual_seed(1))
    if rows is not None:
        generator.requires_grad_(False)
        generator.synthesis.layers["conv128"].requires_grad_(True)
    images = generator.synthesis.paint(generator.synthesis.styles(ws), noise) if parts is None else draw_in_parts(generator.synthesis, ws, noise, parts)
    images.square().mean().backward()
    return images.detach(), [p.grad for p in generator.synthesis.parameters() if p.grad is not None]


@pytest.mark.parametrize("rows", [None, "some"])
@pytest.mark.parametrize("parts", [Parts(4), Parts(3), Parts(1), Parts(1, blockwise=True), Parts(4, blockwise=True)])
def test_parts_give_the_images_and_gradients_of_the_whole_batch(parts, rows):
    (images, gradients), (whole, theirs) = drawn(parts, rows), drawn(None, rows)
    torch.testing.assert_close(images, whole, atol=1e-5, rtol=1e-5)
    assert len(gradients) == len(theirs) > 0
    for mine, other in zip(gradients, theirs):
        torch.testing.assert_close(mine, other, atol=5e-5 * float(other.abs().max()), rtol=1e-4)


def test_a_meter_counts_what_is_alive_and_forgets_what_is_gone():
    with Meter() as meter:
        a = torch.empty(1000, device="meta") + 1.0
        b = a * 2
        del a
        c = b.view(10, 100)
    del b, c
    assert meter.now == 0
    assert meter.most == 2 * 4000  # two at a time: the empty one is gone before the product is made


def test_a_meter_sees_what_a_backward_pass_keeps():
    weight = torch.empty(100, 100, device="meta", requires_grad=True)
    x = torch.empty(50, 100, device="meta")
    alive, operations = measure(lambda: (x @ weight).square().sum().backward())
    assert alive >= 2 * 50 * 100 * 4
    assert operations == 2 * 2 * 50 * 100 * 100  # the product, and the gradient of the weight


@pytest.fixture(scope="module")
def models():
    from iplkit.clip.model import ClipConfig, build_world_clip, freeze

    sizes = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=1, text_width=64, text_layers=1, text_heads=1)
    return Generator(GeneratorConfig(128, (8, 8, 8, 8, 8, 8), w_dim=16, z_dim=16, n_mlp=1)), freeze(build_world_clip(ClipConfig(**sizes, embed_dim=8)))


def test_smaller_parts_are_predicted_to_need_less_memory(models):
    generator, clip = models
    settings = replace(SETTINGS, batch=4)
    needs = [predict(generator, [clip], settings, parts, RATE, HELD).memory for parts in (Parts(4), Parts(2), Parts(1), Parts(1, blockwise=True))]
    assert needs == sorted(needs, reverse=True)
    assert needs[0] - needs[1] > 0.3 * (needs[0] - needs[2]) > 0


def test_the_fastest_way_that_fits_is_chosen_and_too_small_a_budget_is_refused(models):
    generator, clip = models
    settings = replace(SETTINGS, batch=4)
    whole = fit(generator, [clip], settings, None)
    assert whole.parts == Parts(4)
    assert fit(generator, [clip], settings, int(whole.memory * 2)).parts == Parts(4)
    with pytest.raises(UserError, match="one image at a time; --memory allows 0.0"):
        fit(generator, [clip], settings, 10**6)


def test_votes_for_layers_cost_time_by_how_often_they_are_taken(models):
    generator, clip = models
    steps = [predict(generator, [clip], replace(SETTINGS, selector="adaptive", select_every=n), Parts(4), RATE, HELD).step for n in (1, 10, 1000)]
    assert steps[0] > 1.5 * steps[1] > 1.5 * steps[2]


def test_seconds_are_operations_over_the_rate_of_this_machine(models):
    generator, clip = models
    slow, fast = (predict(generator, [clip], SETTINGS, Parts(4), rate, HELD) for rate in (RATE, 2 * RATE))
    assert slow.step == pytest.approx(2 * fast.step)
    assert slow.seconds == pytest.approx(slow.step * SETTINGS.steps)
    assert machine_rate(generator, rounds=1) > 1e6


def test_a_card_is_compared_with_what_was_measured(models):
    cost = predict(*[models[0], [models[1]]], SETTINGS, Parts(4), RATE, HELD)
    text = compared(cost, [{"seconds": 2.0}, {"seconds": 3.0}, {"seconds": 2.5}])
    assert "2.5 s measured" in text and "s predicted" in text


@pytest.mark.parametrize("text, size", [("6GB", 6e9), (" 512 mib", 512 * 2**20), ("1.5gb", 1.5e9)])
def test_sizes_are_read_with_their_units(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "6", "GB", "-1GB", "nanGB", "infGB", "6 bytes"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="memory needs a number and a unit"):
        parse_memory(text)


def test_an_adaptation_in_parts_ends_near_the_one_in_one(tiny_adapt):
    whole, parts, start = (torch.cat([p.flatten() for p in g.parameters()]) for g in (tiny_adapt(None), tiny_adapt(Parts(1)), small_generator()))
    assert float((whole - parts).norm()) <= 0.02 * float((whole - start).norm())


@pytest.fixture
def tiny_adapt():
    from iplkit.adapt import adapt
    from iplkit import zoo

    clip, generator = zoo.load("clip"), small_generator()
    settings = replace(AdaptSettings.at("world", "smoke"), steps=2, batch=2, lr=1e-4)
    return lambda parts: adapt(generator, clip, "nada", "photo", "sketch", settings, progress=False, parts=parts).generator
