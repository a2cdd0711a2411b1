import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.bootstrap import bootstrap, percentile_interval, resample_counts
from iplkit.metrics.frechet import fid
from iplkit.metrics.identity import identity
from iplkit.metrics.score import mean_score
from iplkit.metrics.vendi import vendi


def test_the_interval_of_a_mean_covers_the_truth_as_often_as_it_says():
    def mean(rows):
        return mean_score("mean", rows[:, 0], 0)

    hits = 0
    for seed in range(100):
        low, high = bootstrap(mean, [normal(seed, 40, 1) + 3], 200, seed).interval
        hits += low <= 3 <= high
    assert 86 <= hits <= 100  # 94 expected at 40 images


def test_rows_of_one_latent_are_drawn_together():
    source = normal(0, 30, 8)
    apart = bootstrap(identity, [source, source], 50)
    together = bootstrap(identity, [(source, source)], 50)
    assert together.spread < 1e-12 and together.interval == pytest.approx((1, 1))
    assert apart.value == 1 and apart.spread > 0.01


def test_the_interval_surrounds_a_distance_although_all_resamples_lie_above_it():
    def few(real, fake):
        return fid(real, fake, low_rank=True)

    sets = [normal(0, 20, 30), normal(1, 20, 30)]
    score = bootstrap(few, sets, 50)
    assert score.interval[0] < score.value < score.interval[1]
    assert score.settings["bootstrap"]["bias"] > 0
    assert bootstrap(few, sets, 50, centered=False).interval[0] > score.value


def test_same_seed_same_interval():
    rows = normal(0, 30, 5)
    assert bootstrap(vendi, [rows], 30, seed=1) == bootstrap(vendi, [rows], 30, seed=1) != bootstrap(vendi, [rows], 30, seed=2)


def test_counts_are_those_of_as_many_draws_as_rows():
    counts = resample_counts(7, 50, torch.Generator().manual_seed(0))
    assert counts.shape == (50, 7) and bool((counts.sum(1) == 7).all())


def test_the_interval_is_the_middle_of_the_values():
    assert percentile_interval(torch.arange(101.0)) == pytest.approx((2.5, 97.5))


def test_what_cannot_be_drawn_again_is_refused():
    with pytest.raises(UserError, match=r"paired sets of one length; got \[5, 6\]"):
        bootstrap(identity, [(normal(0, 5, 3), normal(1, 6, 3))])
    with pytest.raises(UserError, match="at least 2 rows"):
        bootstrap(vendi, [normal(0, 1, 3)])
    with pytest.raises(UserError, match="at least 20 rounds.*got 5"):
        bootstrap(vendi, [normal(0, 9, 3)], rounds=5)
