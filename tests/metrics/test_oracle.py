import pytest
import torch

from iplkit.errors import UserError
from iplkit.metrics.oracle import balanced_accuracy, called, wilson_interval


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
