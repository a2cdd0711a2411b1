import math

import pytest
import torch
from goldens import hash_uniform, normal

from iplkit.errors import UserError
from iplkit.metrics.frechet import exact_distance, fid, fid_of_moments, frechet_distance, frechet_distance_of_samples, moments, symmetric_root
from iplkit.metrics.moments import Moments

FULL_RANK = {
    "d16": (lambda: (normal(0, 1000, 16), normal(1, 800, 16) * 1.5 + 0.5), 7.95057728299183),
    "d64": (lambda: (normal(2, 256, 64), normal(3, 256, 64) * 1.2 + 0.1), 13.531303517301893),
    "inception_like_d256": (lambda: (normal(8, 500, 256).abs() * 0.3, normal(9, 300, 256).abs() * 0.35), 4.114994133664172),
    "hash_d32": (lambda: (hash_uniform(1, 120, 32), hash_uniform(2, 90, 32) * 1.3), 1.5655860564858717),
    "1d": (lambda: (normal(17, 50, 1), normal(18, 70, 1) * 2 + 1), 2.502375758974737),
}
FEW_SAMPLES = {
    "d64": (lambda: (normal(4, 50, 64), normal(5, 40, 64)), 49.542321283110255),
    "mixed_d64": (lambda: (normal(12, 40, 64), normal(13, 500, 64) * 0.8), 34.20319376388062),
    "d512": (lambda: (normal(6, 100, 512), normal(7, 100, 512)), 658.2430419752394),
    "d2048": (lambda: (normal(14, 48, 2048), normal(15, 64, 2048) * 1.1 + 0.02), 4003.981163851343),
    "50_digits": (lambda: (normal(19, 8, 20), normal(20, 6, 20)), 30.44671840828172950454047),
}


@pytest.mark.parametrize("case", FULL_RANK)
def test_both_routes_agree_with_the_stored_values_at_full_rank(case):
    make, want = FULL_RANK[case]
    real, fake = make()
    assert exact_distance(real, fake)[1] == "eigenvalues"
    assert fid(real, fake).value == pytest.approx(want, rel=1e-9)
    assert frechet_distance_of_samples(real, fake) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("case", FEW_SAMPLES)
def test_the_low_rank_route_is_exact_with_few_samples(case):
    make, want = FEW_SAMPLES[case]
    assert fid(*make(), low_rank=True).value == pytest.approx(want, rel=1e-9)


def test_closed_forms():
    x = normal(16, 200, 24)
    assert fid(x, x + 0.25).value == pytest.approx(1.5, abs=1e-9)  # D c²
    zero, one, two = torch.zeros(2), torch.tensor([[2.0, 1.0], [1.0, 2.0]]), torch.diag(torch.tensor([1.0, 3.0]))
    assert frechet_distance(zero, one, zero, two) == pytest.approx(8 - 2 * math.sqrt(14), rel=1e-12)
    assert abs(fid(x, x).value) < 1e-9
    few = normal(11, 30, 128)
    assert abs(fid(few, few, low_rank=True).value) < 1e-9  # covariance routes give -6e-6 here


def test_a_rotation_of_both_sets_and_their_order_change_nothing():
    real, fake = normal(2, 256, 64), normal(3, 256, 64) * 1.2 + 0.1
    turn = torch.linalg.qr(normal(99, 64, 64)).Q
    assert fid(real @ turn, fake @ turn).value == pytest.approx(fid(real, fake).value, rel=1e-9)
    assert fid(fake, real).value == pytest.approx(fid(real, fake).value, rel=1e-9)


def test_agrees_with_torchmetrics_and_torch_fidelity():
    theirs = pytest.importorskip("torchmetrics.image.fid")
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    real, fake = normal(0, 1000, 16), normal(1, 800, 16) * 1.5 + 0.5
    (m1, s1), (m2, s2) = moments(real), moments(fake)
    assert fid(real, fake).value == pytest.approx(float(theirs._compute_fid(m1, s1, m2, s2)), rel=1e-9)
    stats = [{"mu": m.numpy(), "sigma": s.numpy()} for m, s in ((m1, s1), (m2, s2))]
    want = fidelity.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert fid(real, fake).value == pytest.approx(float(want), rel=1e-9)


def test_the_root_squared_is_the_matrix():
    _, cov = moments(normal(3, 100, 12))
    torch.testing.assert_close(symmetric_root(cov) @ symmetric_root(cov), cov)


def test_the_spread_covers_the_difference_between_fresh_draws():
    score = fid(normal(0, 1000, 16), normal(1, 800, 16) * 1.5 + 0.5, bootstrap=20)
    fresh = frechet_distance_of_samples(normal(100, 1000, 16), normal(101, 800, 16) * 1.5 + 0.5)
    assert score.spread is not None and abs(fresh - score.value) < 5 * score.spread
    assert score == fid(normal(0, 1000, 16), normal(1, 800, 16) * 1.5 + 0.5, bootstrap=20)


def test_too_few_images_are_counted_in_the_message():
    with pytest.raises(UserError, match="more than 64 images in each set, or low_rank=True; got 50 real and 40 fake"):
        fid(normal(4, 50, 64), normal(5, 40, 64))
    with pytest.raises(UserError, match="at least 2 images"):
        fid(normal(4, 1, 8), normal(5, 40, 8), low_rank=True)


def test_a_matrix_that_is_no_covariance_is_refused():
    with pytest.raises(UserError, match="no negative eigenvalue"):
        frechet_distance(torch.zeros(2), torch.diag(torch.tensor([1.0, -1.0])), torch.zeros(2), torch.eye(2))


def test_the_route_follows_from_rank_and_not_from_the_number_of_images_alone():
    real, fake = normal(2, 256, 24), normal(3, 256, 24) * 1.2 + 0.1
    want = fid(real, fake).value
    repeated = [torch.cat([x, x, torch.zeros(256, 20)], dim=1) / 2**0.5 for x in (real, fake)]  # rank 24 of 68
    score = fid(*repeated)
    assert score.settings["route"] == "singular values"
    assert score.value == pytest.approx(want, rel=1e-12)
    assert abs(frechet_distance(*moments(repeated[0]), *moments(repeated[1])) / want - 1) > 1e-9  # by moments alone


@pytest.mark.parametrize("seed", range(3))
def test_is_never_below_the_distance_of_the_means(seed):
    real, fake = normal(seed, 90, 12), normal(seed + 9, 50, 12) * 0.9 + 0.2
    assert fid(real, fake).value >= (real.mean(0) - fake.mean(0)).square().sum()


def test_the_libraries_lose_digits_with_few_images_and_the_exact_value_is_kept():
    theirs = pytest.importorskip("torchmetrics.image.fid")
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    exact = 658.2430419752394  # 100 images of 512 features
    real, fake = normal(6, 100, 512), normal(7, 100, 512)
    (m1, s1), (m2, s2) = moments(real), moments(fake)
    stats = [{"mu": m.numpy(), "sigma": s.numpy()} for m, s in ((m1, s1), (m2, s2))]
    other = float(fidelity.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"])
    for value in (float(theirs._compute_fid(m1, s1, m2, s2)), other):
        assert 1e-9 < abs(value / exact - 1) < 1e-6
    assert fid(real, fake, low_rank=True).value == pytest.approx(exact, rel=1e-12)


def test_streamed_sets_give_the_same_distance():
    real, fake = normal(2, 256, 64), normal(3, 256, 64) * 1.2 + 0.1
    streamed = [sum((Moments.of(part) for part in x.split(50)), Moments()) for x in (real, fake)]
    assert fid_of_moments(*streamed).value == pytest.approx(13.531303517301893, rel=1e-9)
    assert fid_of_moments(*streamed, ddof=0).value == pytest.approx(13.482664602997119, rel=1e-9)


def test_streamed_sets_that_are_too_small_or_of_other_width_are_refused():
    few, many, narrow = Moments.of(normal(0, 50, 64)), Moments.of(normal(1, 90, 64)), Moments.of(normal(1, 90, 3))
    with pytest.raises(UserError, match="more than 64 images in each set; got 50 real and 90 fake; keep the features"):
        fid_of_moments(few, many)
    with pytest.raises(UserError, match="equal width; got 64 and 3 features"):
        fid_of_moments(many, narrow)


def test_the_refusal_says_what_to_use_instead():
    with pytest.raises(UserError, match="KID bears so few"):
        fid(normal(4, 50, 64), normal(5, 40, 64))


def test_features_that_are_not_finite_are_refused():
    broken = normal(0, 9, 2)
    broken[4, 1] = float("nan")
    with pytest.raises(UserError, match="1 of 9 fake rows"):
        fid(normal(1, 9, 2), broken)
