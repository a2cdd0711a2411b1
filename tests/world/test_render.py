import pytest
import torch
import torch.nn.functional as F

from iplkit.errors import UserError
from iplkit.world.domains.catalog import DOMAINS, TARGETS
from iplkit.world.factors import NAMES, NUM_FACTORS, index, sample_factors
from iplkit.world.render import blend, render

SMALL = 32


def people(n: int, seed: int = 0) -> torch.Tensor:
    return sample_factors(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_same_call_gives_the_same_bytes_and_another_batch_the_same_portrait(domain):
    factors = people(5)
    images = render(factors, domain, 64, seed=7)
    assert torch.equal(images, render(factors, domain, 64, seed=7))
    assert torch.equal(images[3:4], render(factors[3:4], domain, 64, seed=10))
    assert torch.equal(images[[4, 0]], render(factors[[4, 0]], domain, 64, seed=[11, 7]))


def test_drawing_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    render(people(2), "pointillism", SMALL)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_seed_changes_texture_and_nothing_else():
    factor = people(1)
    first, second = (render(factor, "photo", 64, seed=s) for s in (1, 2))
    assert 0 < (first - second).abs().mean() < 0.01
    assert (render(factor, "cubism", 64, seed=1) - render(factor, "cubism", 64, seed=2)).abs().mean() > 0.05


@pytest.mark.parametrize("domain", DOMAINS)
def test_W3_a_256_px_picture_averaged_to_64_px_is_the_64_px_picture(domain):
    factors = people(2, seed=4)
    large, small = (render(factors, domain, size, seed=3) for size in (256, 64))
    assert float((F.avg_pool2d(large, 4) - small).abs().mean()) * 127.5 <= 3


@pytest.mark.parametrize("size", [32, 64, 96, 128])
def test_every_size_gives_finite_pictures_between_minus_1_and_1_with_contrast(size):
    images = render(people(2), ["photo", "zombie"], size)
    assert images.shape == (2, 3, size, size) and images.dtype == torch.float32
    assert images.min() >= -1 and images.max() <= 1 and images.flatten(1).std(dim=1).min() > 0.1


def test_the_largest_size_is_drawn():
    assert render(people(1), "photo", 1024).shape == (1, 3, 1024, 1024)


def test_no_portraits_give_no_pictures():
    assert render(torch.zeros(0, NUM_FACTORS), "photo", SMALL).shape == (0, 3, SMALL, SMALL)
    assert render(torch.zeros(0, NUM_FACTORS), [], SMALL).shape == (0, 3, SMALL, SMALL)


def test_every_domain_differs_from_photo_and_from_every_other():
    factors = people(4)
    images = torch.stack([render(factors, domain, SMALL) for domain in DOMAINS])
    apart = (images[:, None] - images[None]).abs().mean(dim=(2, 3, 4, 5)) + torch.eye(len(DOMAINS))
    assert apart.min() > 0.08, [DOMAINS[i] for i in divmod(int(apart.argmin()), len(DOMAINS))]


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_ends_of_a_blend_are_the_two_domains(domain):
    factors, other = people(2), "zombie" if domain != "zombie" else "disney"
    for source, target in (("photo", domain), (domain, other)):
        ends = blend(factors, source, target, torch.tensor([0.0, 1.0]), SMALL, seed=5)
        wanted = render(factors, [source, target], SMALL, seed=5)
        torch.testing.assert_close(ends, wanted, atol=2e-5, rtol=0)


def test_a_blend_moves_from_one_end_to_the_other():
    share = torch.linspace(0, 1, 6)
    images = blend(people(1).expand(6, -1), "photo", "ukiyo-e", share, SMALL, seed=[0] * 6)
    gone = (images - images[:1]).abs().mean(dim=(1, 2, 3))
    assert (gone.diff() > 0).all()


@pytest.mark.parametrize("domain", DOMAINS)
def test_gradients_of_every_factor_are_finite_and_most_are_not_zero(domain):
    factors = people(6, seed=3).requires_grad_()
    loss = (render(factors, domain, SMALL, softness=0.03) - 0.1).square().sum()
    (gradient,) = torch.autograd.grad(loss, factors)
    assert gradient.isfinite().all()
    silent = [name for name, g in zip(NAMES, gradient.abs().sum(0)) if g == 0]
    # A hair color is constant in its bin and a beard below its threshold; the statue is blind to color.
    assert set(silent) <= {"hair_color", "beard", "glasses", "eye_color", "skin_tone", "skin_hue", "background", "light"}
    assert len(silent) <= 6, silent


@pytest.mark.parametrize("name", NAMES)
def test_every_factor_changes_the_photo(name):
    factors = torch.full((2, NUM_FACTORS), 0.5)
    factors[0, index(name)], factors[1, index(name)] = 0.05, 0.95
    images = render(factors, "photo", 64, seed=[0, 0])
    assert (images[0] - images[1]).abs().amax() > 0.1


def test_a_gradient_is_the_slope_along_one_factor_in_float64():
    factors = torch.full((1, NUM_FACTORS), 0.45, dtype=torch.float64)
    direction = torch.zeros_like(factors)
    direction[0, index("smile")] = 1.0

    def brightness(t: float) -> torch.Tensor:
        images = render((factors + t * direction).clamp(0, 1), "photo", SMALL, softness=0.05)
        return images.square().sum()

    factors.requires_grad_()
    (gradient,) = torch.autograd.grad(brightness(0.0), factors)
    slope = (brightness(1e-6) - brightness(-1e-6)).detach() / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [0, 16, 30, 66, 1028, 64.0, "64"])
def test_a_size_the_world_does_not_draw_is_refused(size):
    with pytest.raises(UserError, match="a multiple of 4 from 32 to 1024 pixels; got"):
        render(people(1), "photo", size)


def test_what_does_not_fit_together_is_refused_in_one_sentence():
    factors = people(3)
    with pytest.raises(UserError, match=r"one number or one a portrait \(3\); got shape \(2,\)"):
        render(factors, "photo", SMALL, seed=[1, 2])
    with pytest.raises(UserError, match="3 portraits need one domain or 3; got 2"):
        render(factors, ["photo", "disney"], SMALL)
    with pytest.raises(UserError, match="no domain is called 'cartoom'; the nearest known: cartoon"):
        blend(factors, "photo", "cartoom", 0.5, SMALL)
    with pytest.raises(UserError, match=r"factors lie in \[0, 1\]"):
        render(factors + 1, "photo", SMALL)


def test_there_are_thirteen_ways_to_leave_the_photo():
    assert len(TARGETS) == 13 and "photo" not in TARGETS
