import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.auc import auc, ranks, spearman


def test_is_the_share_of_pairs_in_order():
    positive, negative = (normal(0, 60) + 0.5).mul(4).round(), normal(1, 80).mul(4).round()  # rounding makes ties
    pairs = positive[:, None] - negative
    assert auc(positive, negative).value == pytest.approx(float((pairs > 0).double().mean() + (pairs == 0).double().mean() / 2))


def test_a_coin_gives_one_half_and_order_gives_one():
    assert auc(torch.ones(5), torch.ones(7)).value == 0.5
    assert auc(torch.arange(5.0) + 10, torch.arange(7.0)).value == 1


def test_the_spread_is_that_of_fresh_draws():
    values = torch.tensor([auc(normal(s, 60) + 1, normal(s + 500, 80)).value for s in range(200)])
    assert auc(normal(7, 60) + 1, normal(8, 80)).spread == pytest.approx(float(values.std()), rel=0.35)


def test_spearman_agrees_with_scipy_row_by_row():
    reference = pytest.importorskip("scipy.stats")
    x, y = normal(3, 6, 9).mul(2).round(), normal(4, 6, 9)
    want = [reference.spearmanr(a, b).statistic for a, b in zip(x.numpy(), y.numpy())]
    torch.testing.assert_close(spearman(x, y), torch.tensor(want, dtype=torch.float64))


def test_ties_share_their_mean_rank_and_a_flat_row_has_no_order():
    torch.testing.assert_close(ranks(torch.tensor([3.0, 1.0, 3.0])), torch.tensor([2.5, 1.0, 2.5], dtype=torch.float64))
    assert spearman(torch.arange(5.0), torch.ones(5)).item() == 0


def test_missing_or_broken_scores_are_refused():
    with pytest.raises(UserError, match="at least 2 positive"):
        auc(torch.zeros(1), torch.zeros(5))
    with pytest.raises(UserError, match="finite"):
        auc(torch.tensor([0.0, float("inf")]), torch.zeros(5))
