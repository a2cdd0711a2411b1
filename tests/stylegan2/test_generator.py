import math

import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.stylegan2.generator import EqualLinear, Generator, GeneratorConfig

CONFIG = GeneratorConfig(32, (16, 12, 10, 8), z_dim=32, w_dim=32, n_mlp=3)


def trained(seed=0):
    """A generator whose biases and noise strengths are not the zeros of the start."""
    generator, rng = Generator(CONFIG, seed), torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if parameter.ndim <= 1 and "affine" not in name:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=rng))
    generator.mapping.estimate_w_avg(rng, 256)
    return generator.requires_grad_(True)


@pytest.fixture
def small():
    return trained()


@pytest.fixture
def z(generator):
    return torch.randn(4, 32, generator=generator)


def test_shapes_of_every_space(small, z):
    ws = small.mapping(z)
    styles = small.synthesis.styles(ws)
    assert ws.shape == (4, 8, 32) and small.num_ws == CONFIG.num_ws == 8
    assert [s.shape[1] for s in styles.values()] == [16, 16, 16, 12, 12, 12, 10, 10, 10, 8, 8]
    assert small.synthesis(ws, "none").shape == (4, 3, 32, 32)


def test_a_config_survives_json():
    assert GeneratorConfig(**CONFIG.asdict()) == CONFIG


@pytest.mark.parametrize("size, channels, word", [(48, (1,) * 4, "power of 2"), (4, (1,), "power of 2"), (32, (1,) * 3, "needs 4 channel")])
def test_a_config_that_fits_no_generator_is_refused(size, channels, word):
    with pytest.raises(UserError, match=word):
        GeneratorConfig(size, channels)


def test_the_seed_decides_all_weights_and_the_global_seed_none():
    torch.manual_seed(1)
    a = Generator(CONFIG, seed=3).state_dict()
    torch.manual_seed(2)
    b = Generator(CONFIG, seed=3).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["synthesis.const"], Generator(CONFIG, seed=4).state_dict()["synthesis.const"])


def test_the_length_of_z_does_not_matter(small, z):
    assert_close(small.mapping.w(5 * z), small.mapping.w(z), atol=1e-5, rtol=1e-5)


def test_mapping_is_its_definition_written_out(small, z):
    x = z / z.square().mean(dim=1, keepdim=True).sqrt()  # the mean square is 1, not the length
    for layer in small.mapping.layers:
        y = x @ (layer.weight * 0.01 / math.sqrt(32)).T + layer.bias * 0.01
        x = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)
    assert_close(small.mapping.w(z), x)


def test_equalized_layers_start_with_unit_variance(generator):
    layer = EqualLinear(512, 512, lr_mul=0.01, rng=generator)
    y = layer(torch.randn(256, 512, generator=generator)).detach()
    assert abs(float(y.var()) - 1) < 0.05


def test_truncation_stops_at_the_cutoff(small, z):
    ws, w_avg = small.mapping(z), small.mapping.w_avg
    got = small.mapping(z, truncation_psi=0.5, truncation_cutoff=3)
    assert_close(got[:, :3], (ws[:, :3] + w_avg) / 2)
    assert torch.equal(got[:, 3:], ws[:, 3:])
    assert_close(small.mapping(z, truncation_psi=0.0), w_avg.expand(4, 8, 32))


def test_w_avg_moves_towards_the_batch_mean(small, z):
    w, before = small.mapping.w(z), small.mapping.w_avg.clone()
    small.mapping.update_w_avg(w, decay=0.75)
    assert_close(small.mapping.w_avg, 0.75 * before + 0.25 * w.mean(dim=0))


def test_styles_are_a_door_into_synthesis(small, z):
    ws = small.mapping(z)
    assert torch.equal(small.synthesis.from_styles(small.synthesis.styles(ws), "const"), small.synthesis(ws, "const"))


def test_stored_noise_repeats_and_random_noise_follows_its_generator(small, z):
    assert torch.equal(small(z, noise_mode="const"), small(z, noise_mode="const"))
    first, second, other = (small(z, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_without_strength_noise_changes_nothing(z):
    fresh = Generator(CONFIG)
    assert torch.equal(fresh(z, noise_mode="const"), fresh(z, noise_mode="none"))


def test_random_noise_needs_a_generator(small, z):
    with pytest.raises(UserError, match="needs a torch.Generator"):
        small(z)
    with pytest.raises(UserError, match="noise_mode must be"):
        small(z, noise_mode="fixed")


def test_an_image_does_not_see_its_neighbors(small, z):
    assert_close(small(z, noise_mode="const")[2:3], small(z[2:3], noise_mode="const"), atol=1e-5, rtol=1e-4)


def test_a_large_batch_without_gradients_is_drawn_in_parts_of_the_same_images(small, z, monkeypatch):
    synthesis, sizes = small.synthesis, []
    synthesis.wide, synthesis.at_once = True, 3
    paint = synthesis._paint
    monkeypatch.setattr(synthesis, "_paint", lambda styles, *rest: sizes.append(len(styles["conv4"])) or paint(styles, *rest))
    with torch.no_grad():
        parts = {mode: small(z, noise_mode=mode, generator=torch.Generator().manual_seed(1)) for mode in ("random", "const", "none")}
    assert sizes == 3 * [3, 1]
    whole = {mode: small(z, noise_mode=mode, generator=torch.Generator().manual_seed(1)) for mode in parts}
    assert sizes[6:] == 3 * [4]
    for mode, images in parts.items():
        assert_close(images, whole[mode].detach(), atol=1e-5, rtol=1e-4)


def gradients(generator, ws, wide):
    """The image and all gradients of one of the two orders of work."""
    generator.synthesis.wide = wide
    for layer in generator.synthesis.layers.values():
        layer.wide = wide
    leaf = ws.clone().requires_grad_(True)
    images = generator.synthesis(leaf, noise_mode="const")
    weights = {name: p for name, p in generator.synthesis.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(images.square().sum(), [leaf, *weights.values()])
    return {"image": images.detach(), "ws": found[0]} | dict(zip(weights, found[1:]))


@pytest.mark.parametrize("trained", [True, False])
def test_the_order_of_work_of_large_generators_has_the_gradients_of_the_small_ones(small, z, trained):
    exact = small.double().requires_grad_(trained)
    ws = exact.mapping(z[:2].double()).detach()
    mine, theirs = (gradients(exact, ws, wide) for wide in (True, False))
    for name, value in theirs.items():
        assert_close(mine[name], value, atol=1e-9 * float(value.abs().max()), rtol=1e-9, msg=lambda m, name=name: f"{name}: {m}")


def test_half_precision_and_channels_last_give_nearly_the_same_image(small, z):
    want = small(z, noise_mode="const")
    turned = trained().to(memory_format=torch.channels_last)
    assert_close(turned(z, noise_mode="const"), want, atol=1e-4, rtol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = turned(z, noise_mode="const")
    assert got.dtype == torch.float32
    assert (got - want).square().mean().sqrt() < 0.02 * want.std()


def test_every_parameter_gets_a_gradient_in_half_precision(small, z, generator):
    small = small.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images = small(z, generator=generator)
    images.square().mean().backward()
    for name, parameter in small.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_gradients_are_those_of_finite_differences(z):
    exact = trained().double()
    ws = exact.mapping(z[:1].double()).detach()
    step = torch.randn(ws.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ws.requires_grad_()
    (slope,) = torch.autograd.grad(exact.synthesis(ws, "none").square().sum(), ws)
    with torch.no_grad():
        far = [exact.synthesis(ws + side * 1e-6 * step, "none").square().sum() for side in (1, -1)]
    assert_close((slope * step).sum(), (far[0] - far[1]) / 2e-6, rtol=1e-5, atol=0)


@pytest.mark.parametrize("half", [True, False])
def test_path_length_reaches_the_weights(small, z, half):
    ws = small.mapping(z).detach().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        images = small.synthesis(ws, "const")
    (slope,) = torch.autograd.grad(images.mean() * 32, ws, create_graph=True)
    slope.square().sum().backward()
    for name in ("up16", "conv16", "rgb32"):
        grad = small.synthesis.layers[name].weight.grad
        assert grad.isfinite().all() and grad.any(), name


def test_codes_of_another_shape_are_refused(small):
    with pytest.raises(UserError, match=r"z needs shape \[N, 32\]"):
        small.mapping(torch.zeros(2, 31))
    with pytest.raises(UserError, match=r"ws needs shape \[N, 8, 32\]"):
        small.synthesis(torch.zeros(2, 7, 32), "none")
    with pytest.raises(UserError, match="styles need the layers"):
        small.synthesis.from_styles({"conv4": torch.zeros(1, 16)}, "none")
