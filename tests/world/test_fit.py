from dataclasses import replace

import pytest
import torch

from iplkit.errors import UserError
from iplkit.world.factors import NAMES, NUM_FACTORS, column, indices, sample_factors
from iplkit.world.fit import Fit, FitSettings, factor_errors, fit, fit_error, picture_loss, r2_score
from iplkit.world.render import render

QUICK = FitSettings(steps=2)


def people(n: int, seed: int = 0) -> torch.Tensor:
    return sample_factors(n, torch.Generator().manual_seed(seed))


def near(truth: torch.Tensor, spread: float = 0.12):
    """A head that knows the truth but for noise; it recognizes a picture by its place in the batch."""
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    return lambda images: (truth + spread * noise)[: len(images)].clamp(0, 1)


def blank(images: torch.Tensor) -> torch.Tensor:
    """A head that knows nothing."""
    return torch.full((len(images), NUM_FACTORS), 0.5)


def test_fitting_six_photos_brings_most_factors_nearer_to_the_truth():
    truth = people(6, seed=3)
    images = render(truth, "photo", 32, seed=50)
    result = fit(images, "photo", near(truth), FitSettings(steps=25))
    rows = factor_errors(result, truth)
    assert sum(row.error < row.start_error for row in rows) >= 15
    assert sum(row.error for row in rows) < 0.75 * sum(row.start_error for row in rows)
    errors = {row.factor: row.error for row in rows}
    assert all(errors[name] < 0.04 for name in ("skin_tone", "yaw", "pitch", "light", "clothes")), errors
    assert (result.loss < result.start_loss).all() and result.loss.mean() < 0.5 * result.start_loss.mean()
    assert result.factors.shape == truth.shape and 0 <= result.factors.min() and result.factors.max() <= 1


def test_glasses_and_hair_color_are_found_though_no_gradient_leads_there():
    truth = people(3, seed=2)
    truth[:, indices(("hair_color", "glasses"))] = torch.tensor([[0.9, 0.9], [0.1, 0.2], [0.5, 0.9]])
    wrong = truth.clone()
    wrong[:, indices(("hair_color", "glasses"))] = torch.tensor([[0.1, 0.2], [0.7, 0.9], [0.5, 0.3]])
    result = fit(render(truth, "photo", 32, seed=4), "photo", lambda images: wrong, FitSettings(steps=16))
    assert torch.equal(column(result.factors, "glasses") > 0.65, column(truth, "glasses") > 0.65)
    assert torch.equal((column(result.factors, "hair_color") * 5).long(), (column(truth, "hair_color") * 5).long())


def test_a_picture_is_fitted_alike_in_every_run_and_but_for_rounding_in_every_batch():
    images = render(people(3), "disney", 32)
    whole, again, alone = (fit(x, "disney", blank, QUICK) for x in (images, images, images[2:]))
    assert torch.equal(whole.factors, again.factors) and torch.equal(whole.loss, again.loss)
    parts = fit(images, "disney", blank, replace(QUICK, batch=2))
    torch.testing.assert_close(parts.factors, whole.factors, atol=1e-4, rtol=0)
    torch.testing.assert_close(alone.factors, whole.factors[2:], atol=1e-4, rtol=0)


def test_the_residual_is_never_above_that_of_the_first_guess():
    truth = people(4)
    result = fit(render(truth, "sketch", 32), "sketch", lambda images: truth, replace(QUICK, rate=3.0))
    assert (result.loss <= result.start_loss).all()
    assert torch.equal(result.factors, truth)  # wild steps from the truth are not kept


def test_no_steps_leave_the_first_guess_as_it_is():
    truth = people(2)
    result = fit(render(truth, "statue", 32), "statue", blank, FitSettings(steps=0))
    assert torch.equal(result.factors, result.start) and torch.equal(result.loss, result.start_loss)


def test_fitting_needs_no_gradient_mode_and_leaves_the_random_state_alone():
    truth = people(1)
    images = render(truth, "photo", 32)
    wanted, before = fit(images, "photo", blank, QUICK), torch.random.get_rng_state()
    with torch.no_grad():
        quiet = fit(images, "photo", blank, QUICK)
    with torch.inference_mode():
        frozen = fit(images, "photo", blank, QUICK)
    assert torch.equal(wanted.factors, quiet.factors) and torch.equal(wanted.factors, frozen.factors)
    assert torch.equal(before, torch.random.get_rng_state())
    assert (wanted.factors != wanted.start).any() and not wanted.factors.requires_grad


def test_larger_pictures_are_averaged_down_to_the_size_of_the_fit():
    truth = people(2)
    result = fit(render(truth, "photo", 128, seed=[0, 0]), "photo", lambda images: truth, FitSettings(steps=0))
    assert result.loss.max() < 0.06  # 128 px averaged to 32 px is nearly the 32 px picture


def test_nothing_is_fitted_to_nothing():
    result = fit(torch.zeros(0, 3, 32, 32), "photo", blank)
    assert result.factors.shape == (0, NUM_FACTORS) and result.loss.shape == (0,)


def test_the_picture_loss_is_zero_for_equals_and_grows_with_the_shift_of_a_part():
    image = torch.zeros(1, 3, 32, 32)
    image[..., 8:12, 8:12] = 1.0
    losses = [float(picture_loss(image.roll(k, -1), image, 2.0)) for k in (0, 1, 3, 6)]
    assert losses[0] == 0 and losses == sorted(losses) and len(set(losses)) == 4


def test_r2_is_one_for_the_truth_and_zero_for_its_mean():
    truth = people(50)
    torch.testing.assert_close(r2_score(truth, truth), torch.ones(NUM_FACTORS))
    torch.testing.assert_close(r2_score(truth.mean(0).expand_as(truth), truth), torch.zeros(NUM_FACTORS), atol=1e-5, rtol=0)


def test_a_factor_with_r2_below_a_half_is_left_out():
    truth = people(200)
    guess = truth.clone()
    guess[:, 3] = 0.5
    none = torch.zeros(len(truth))
    rows = factor_errors(Fit(guess, none, truth, none), truth)
    assert [row.factor for row in rows] == list(NAMES)
    assert [row.factor for row in rows if not row.known] == [NAMES[3]]
    assert rows[3].r2 < 0.1 and rows[3].start_r2 == 1 and rows[0].error == 0


def test_the_error_of_a_fit_is_measured_on_renders_of_its_own_and_is_repeatable():
    first, second = (fit_error("zombie", blank, n=4, seed=2, settings=QUICK, size=32) for _ in range(2))
    assert first == second and first != fit_error("zombie", blank, n=4, seed=3, settings=QUICK, size=32)
    rows = first.table()
    assert [row["factor"] for row in rows] == list(NAMES) and {row["domain"] for row in rows} == {"zombie"}
    assert first.left_out == tuple(row["factor"] for row in rows if row["r2"] < 0.5)


@pytest.mark.parametrize(
    ("images", "domain", "head", "sentence"),
    [
        (torch.zeros(1, 3, 32, 48), "photo", blank, r"images \[N, 3, S, S\]; got \(1, 3, 32, 48\)"),
        (torch.zeros(1, 1, 32, 32), "photo", blank, r"images \[N, 3, S, S\]; got \(1, 1, 32, 32\)"),
        (torch.zeros(1, 3, 48, 48), "photo", blank, "at 32 px needs images of a multiple of that; got 48 px"),
        (torch.zeros(1, 3, 32, 32), "foto", blank, "no domain is called 'foto'; the nearest known: photo"),
        (torch.zeros(1, 3, 32, 32), "photo", lambda x: x[:, 0, 0, :5], r"factors \[1, 25\]; got \(1, 5\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(images, domain, head, sentence):
    with pytest.raises(UserError, match=sentence):
        fit(images, domain, head)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="steps from 0 and batch from 1 up; got -1 and 32"):
        FitSettings(steps=-1)
    with pytest.raises(UserError, match="multiple of 4"):
        FitSettings(size=33)
    with pytest.raises(UserError, match="at least 2 portraits; got 1"):
        fit_error("photo", blank, n=1, seed=0)
