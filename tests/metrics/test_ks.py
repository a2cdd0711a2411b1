import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.ks import ks_noise, ks_statistic


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scipy_ties_included(seed):
    reference = pytest.importorskip("scipy.stats")
    a, b = normal(seed, 200).mul(3).round(), normal(seed + 50, 131).mul(2).add(0.4).round()
    assert ks_statistic(a, b) == pytest.approx(reference.ks_2samp(a.numpy(), b.numpy()).statistic, abs=1e-12)


def test_equal_samples_are_at_zero_and_separate_ones_at_one():
    a = normal(0, 40)
    assert ks_statistic(a, a) == 0
    assert ks_statistic(a, a + 100) == 1


def test_one_law_stays_below_the_noise_in_95_of_100():
    above = sum(ks_statistic(normal(s, 500), normal(s + 1000, 400)) > ks_noise(500, 400) for s in range(300))
    assert above < 30  # 15 expected, 30 is four standard errors away


def test_empty_and_broken_samples_are_refused():
    with pytest.raises(UserError, match="finite numbers"):
        ks_statistic(torch.zeros(0), torch.zeros(3))
    with pytest.raises(UserError, match="finite numbers"):
        ks_statistic(torch.tensor([float("nan")]), torch.zeros(3))
