import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.kernel import kid, squared_mmd


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
