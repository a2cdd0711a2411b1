import pytest
import torch

from iplkit.errors import UserError
from iplkit.metrics.oracle import balanced_accuracy, called, concordance, pair_distances, spread_ratio, wilson_interval


def test_the_interval_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for hits, n in ((0, 10), (7, 10), (980, 1000), (10, 10)):
        want = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert wilson_interval(hits, n) == pytest.approx((want.low, want.high), abs=1e-6)


def test_none_of_them_counts_as_a_failure():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # last class: none
    score = called(logits, 0)
    assert score.value == 0.5
    assert score.settings["interval"][0] < 0.5 < score.settings["interval"][1]


def test_a_rare_class_weighs_as_much_as_a_common_one():
    truth = torch.tensor([0] * 90 + [1] * 10)
    assert balanced_accuracy(torch.zeros(100, dtype=torch.long), truth).value == 0.5
    assert balanced_accuracy(truth, truth).value == 1


def test_impossible_counts_and_domains_are_refused():
    with pytest.raises(UserError, match="got 5 of 3"):
        wilson_interval(5, 3)
    with pytest.raises(UserError, match="domain 7 needs"):
        called(torch.zeros(2, 3), 7)
    with pytest.raises(UserError, match="two equal rows"):
        balanced_accuracy(torch.zeros(2), torch.zeros(3))


def rows(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_concordance_falls_with_a_shift_a_smaller_spread_and_with_noise():
    x = rows(1, 50, 1)
    assert concordance(x, x).item() == pytest.approx(1)
    assert concordance(x, -x + 2 * x.mean(0)).item() == pytest.approx(-1, abs=1e-6)
    for other in (x + 1, 0.3 * x, x + rows(2, 50, 1), torch.zeros_like(x)):
        assert concordance(x, other).item() < 0.8
    assert concordance(x, torch.zeros_like(x)).item() == 0
    assert concordance(torch.ones(5, 2), torch.ones(5, 2)).tolist() == [0, 0]


def test_concordance_is_lins_formula():
    x, y = torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 3, 3, 5])
    assert concordance(x, y).item() == pytest.approx(2 * 1.5 / (1.25 + 2 + 0.25))


def test_spread_ratio_is_one_for_a_shift_and_nan_for_a_factor_that_never_varied():
    x = rows(3, 30, 2)
    x[:, 1] = 0.5
    ratio = spread_ratio(x, torch.stack([0.25 * x[:, 0] + 3, x[:, 1]], 1))
    assert ratio[0].item() == pytest.approx(0.25) and ratio[1].isnan()


def test_pairs_lie_nearer_than_strangers_and_no_row_is_its_own_stranger():
    x = rows(4, 20, 3, 4, 4)
    for euclidean in (False, True):
        pairs, strangers = pair_distances(x, x + 0.01, euclidean)
        assert pairs.max() < strangers.min()
    assert pair_distances(x, x + 0.01)[0].mean().item() == pytest.approx(0.01, rel=1e-4)


def test_rows_that_cannot_be_pairs_are_refused():
    for broken in (lambda: concordance(torch.zeros(1, 2), torch.zeros(1, 2)), lambda: pair_distances(torch.zeros(3, 2), torch.zeros(4, 2))):
        with pytest.raises(UserError, match="two equal shapes"):
            broken()
    with pytest.raises(UserError, match="2 people or more"):
        spread_ratio(torch.zeros(3, 2), torch.zeros(3, 4))
