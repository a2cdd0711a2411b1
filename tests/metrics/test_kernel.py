import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.kernel import kid, kid_interval, squared_mmd


def test_agrees_with_the_stored_values():
    real, fake = normal(40, 300, 64), normal(41, 250, 64) * 1.1 + 0.1
    assert kid(real, fake).value == pytest.approx(0.04347329016885926, rel=1e-9)
    assert kid(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])).value == -13
    same = normal(42, 100, 16)
    assert kid(same, same).value == pytest.approx(-0.15476322296532397, rel=1e-9)  # negative, and printed so


def test_agrees_with_torch_fidelity_on_the_whole_set():
    reference = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = normal(0, 200, 64), normal(1, 200, 64) + 0.3
    want = reference.kid_features_to_metric(real, fake, kid_subsets=1, kid_subset_size=200, verbose=False)
    assert kid(real, fake).value == pytest.approx(want[reference.KEY_METRIC_KID_MEAN], rel=1e-9)


def test_chunks_do_not_change_the_value():
    real, fake = normal(0, 100, 8), normal(1, 90, 8) + 0.3
    assert squared_mmd(real, fake, chunk=7) == pytest.approx(squared_mmd(real, fake), rel=1e-12)


def test_is_zero_on_average_when_both_sets_come_from_one_law():
    values = torch.tensor([squared_mmd(normal(2 * s, 50, 16), normal(2 * s + 1, 50, 16)) for s in range(300)])
    assert abs(values.mean()) < 4 * values.std() / 300**0.5


def test_same_seed_same_number():
    real, fake = normal(0, 300, 32), normal(1, 300, 32)
    once, again = (kid(real, fake, subset_size=100, num_subsets=5, seed=3) for _ in range(2))
    assert once == again != kid(real, fake, subset_size=100, num_subsets=5, seed=4)


def test_the_mean_over_subsets_is_near_the_whole():
    real, fake = normal(40, 300, 64), normal(41, 250, 64) * 1.1 + 0.1
    subsets = kid(real, fake, subset_size=100, num_subsets=50)
    assert abs(subsets.value - kid(real, fake).value) < 4 * subsets.spread / 50**0.5


def test_too_few_images_are_counted_in_the_message():
    with pytest.raises(UserError, match="at least 1000 images in each set; got 50 real and 80 fake"):
        kid(normal(0, 50, 8), normal(1, 80, 8), subset_size=1000)


def test_agrees_with_torch_fidelity_subset_by_subset():
    reference = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = normal(0, 200, 64), normal(1, 150, 64) + 0.3
    want = reference.kid_features_to_metric(fake, real, kid_subsets=4, kid_subset_size=100, rng_seed=2020, verbose=False)
    got = kid(real, fake, subset_size=100, num_subsets=4, seed=2020, subsets="torch-fidelity")
    assert got.value == pytest.approx(want[reference.KEY_METRIC_KID_MEAN], rel=1e-9)
    assert got.spread == pytest.approx(want[reference.KEY_METRIC_KID_STD], rel=1e-9)


def test_agrees_with_torchmetrics():
    reference = pytest.importorskip("torchmetrics.image.kid")
    real, fake = normal(0, 120, 64), normal(1, 120, 64) + 0.3
    assert kid(real, fake).value == pytest.approx(float(reference.poly_mmd(real, fake)), rel=1e-9)


def test_order_sides_and_rotations_change_nothing():
    real, fake = normal(40, 300, 64), normal(41, 250, 64) * 1.1 + 0.1
    turn = torch.linalg.qr(normal(99, 64, 64)).Q
    want = kid(real, fake).value
    for a, b in ((fake, real), (real @ turn, fake @ turn), (real.flip(0), fake.roll(7, 0))):
        assert kid(a, b).value == pytest.approx(want, rel=1e-9)


def test_the_interval_of_counted_pairs_covers_the_truth_as_often_as_it_says():
    def draw(seed):
        return kid_interval(normal(seed, 40, 8), normal(seed + 1, 40, 8) + 0.5, rounds=200)

    many = squared_mmd(normal(900, 2000, 8), normal(901, 2000, 8) + 0.5)
    hits = sum(low <= many <= high for low, high in (draw(2 * s).interval for s in range(60)))
    assert 48 <= hits <= 60  # 57 expected


def test_the_interval_repeats_itself_and_surrounds_the_value():
    real, fake = normal(0, 80, 16), normal(1, 70, 16) + 0.4
    score = kid_interval(real, fake, rounds=200, seed=5)
    assert score == kid_interval(real, fake, rounds=200, seed=5)
    assert score.interval[0] < score.value < score.interval[1]


def test_an_unknown_way_to_draw_subsets_is_refused():
    with pytest.raises(UserError, match="own or torch-fidelity; got 'theirs'"):
        kid(normal(0, 9, 2), normal(1, 9, 2), subset_size=4, subsets="theirs")
