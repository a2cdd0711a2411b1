"""Statistics of cells: against scipy and plain loops, in corners, and what they must refuse."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from iplkit.errors import UserError
from iplkit.sweep.ordering import rank_correlation, same_winner
from iplkit.sweep.prediction import LEAST_SPREAD, compare_cells, family_level, prediction
from iplkit.sweep.summary import BETTER, counts, gain, mean_interval, means, overall, paired

RNG = np.random.default_rng(0)
TARGETS = ("sketch", "disney", "statue", "zombie", "cubism")


def table(values, score="FID"):
    """(method, target) -> scores of seeds 0, 1, ... as a table of cells."""
    rows = [(m, t, seed, "", x) for (m, t), xs in values.items() for seed, x in enumerate(xs)]
    return pd.DataFrame(rows, columns=["method", "target", "seed", "variant", score])


@pytest.fixture
def cells():
    """Two methods, five targets, five seeds; what a seed does to both is larger than what they differ by."""
    luck = RNG.normal(0, 3, (5, 5))
    other = luck + RNG.normal(-1, 0.5, (5, 5))
    return table({("nada", t): luck[i] for i, t in enumerate(TARGETS)} | {("ipl", t): other[i] for i, t in enumerate(TARGETS)})


@pytest.mark.parametrize("n", [2, 3, 5, 13])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_the_interval_of_a_mean_is_scipys(n, level):
    values = RNG.normal(3, 2, n)
    found = mean_interval(values, level)
    low, high = stats.t.interval(level, n - 1, values.mean(), stats.sem(values))
    assert found.n == n and (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_one_value_has_a_mean_and_no_interval_and_none_has_neither():
    one, none = mean_interval([2.5, math.nan]), mean_interval([])
    assert (one.value, one.n, str(one)) == (2.5, 1, "2.5") and math.isnan(one.half)
    assert math.isnan(none.value) and (none.n, str(none)) == (0, "–")


def test_equal_values_have_an_interval_of_no_width():
    assert (mean_interval([1.0, 1.0, 1.0]).half, str(mean_interval([1.0, 1.0]))) == (0.0, "1")


@pytest.mark.parametrize("level", [0, 1, -0.1, 95])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(UserError, match="level must lie between 0 and 1"):
        mean_interval([1.0, 2.0], level)


def test_an_interval_holds_the_true_mean_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(7, 2, (4000, 5))
    hits = np.mean([found.low <= 7 <= found.high for found in map(mean_interval, draws)])
    assert abs(hits - 0.95) < 0.012, "three standard errors of 4000 draws"


def test_means_take_the_targets_asked_for_and_say_where_nothing_is(cells):
    found = means(cells, "nada", "FID", ["sketch", "werewolf"])
    assert found["sketch"].value == pytest.approx(cells[(cells.method == "nada") & (cells.target == "sketch")].FID.mean())
    assert found["werewolf"].n == 0 and means(cells, "air", "FID", ["sketch"])["sketch"].n == 0
    assert means(cells, "nada", "no such score", ["sketch"])["sketch"].n == 0


def test_a_paired_difference_is_scipys_paired_t_interval(cells):
    found = paired(cells, "ipl", "nada", "FID").set_index("target")
    for target in TARGETS:
        a, b = (cells[(cells.method == m) & (cells.target == target)].FID.to_numpy() for m in ("ipl", "nada"))
        wanted = stats.ttest_rel(a, b).confidence_interval(0.95)
        assert (found.low[target], found.high[target]) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
        assert found.difference[target] == pytest.approx(a.mean() - b.mean()) and found.n[target] == 5


def test_pairing_cancels_what_a_seed_does_to_both(cells):
    one = paired(cells, "ipl", "nada", "FID").iloc[0]
    both = [mean_interval(cells[(cells.method == m) & (cells.target == one.target)].FID) for m in ("ipl", "nada")]
    assert one.high - one.low < 0.5 * (both[0].half + both[1].half)


def test_only_seeds_of_both_methods_are_compared_and_changed_settings_are_not(cells):
    fewer = cells[~((cells.method == "ipl") & (cells.seed > 2))]
    other = cells[cells.method == "ipl"].assign(variant="batch8", FID=1000.0)
    found = paired(pd.concat([fewer, other]), "ipl", "nada", "FID")
    assert set(found.n) == {3} and found.difference.abs().max() < 10


def test_exchanging_the_methods_turns_everything_round(cells):
    one, two = paired(cells, "ipl", "nada", "FID"), paired(cells, "nada", "ipl", "FID").set_index("target").loc[TARGETS, :]
    one = one.set_index("target").loc[TARGETS, :]
    np.testing.assert_allclose(one.difference, -two.difference)
    np.testing.assert_allclose(one.low, -two.high)
    turned = {"better": "worse", "worse": "better", "undecided": "undecided"}
    assert list(one.verdict.map(turned)) == list(two.verdict)


def test_verdicts_follow_the_direction_of_the_score():
    values = {("ipl", "sketch"): [1, 2, 3], ("nada", "sketch"): [2, 3, 4.1]}
    for score, wanted in {"FID": "better", "IS": "worse", "SCS": "", "ID": ""}.items():
        assert paired(table(values, score), "ipl", "nada", score).verdict.item() == wanted
        assert (score in BETTER) == bool(wanted)


def test_a_score_without_a_bound_is_better_near_the_truth():
    truths = pd.DataFrame({"oracle diversity": {"sketch": 1.0}})
    cells = table({("ipl", "sketch"): [1.5, 1.52, 1.49], ("nada", "sketch"): [0.9, 0.92, 0.89]}, "oracle diversity")
    assert paired(cells, "ipl", "nada", "oracle diversity", truths).verdict.item() == "worse", "farther above than below"
    assert paired(cells, "ipl", "nada", "oracle diversity").verdict.item() == "", "nobody knows without the truth"
    assert gain(pd.Series([1.0, 0.5, 1.5]), "oracle diversity", 1.0).tolist() == [0.0, -0.5, -0.5]


def test_one_seed_and_an_interval_with_zero_decide_nothing():
    cells = table({("ipl", "sketch"): [1.0], ("nada", "sketch"): [2.0], ("ipl", "statue"): [1.0, 3.0], ("nada", "statue"): [2.0, 2.0]})
    found = paired(cells, "ipl", "nada", "FID")
    assert list(found.verdict) == ["undecided", "undecided"] and math.isnan(found.low[0])
    assert counts(found) == {"better": 0, "worse": 0, "undecided": 2, "targets": 2}


def test_counts_add_up_and_leave_out_what_has_no_better(cells):
    found = counts(paired(cells, "ipl", "nada", "FID"))
    assert found["better"] + found["worse"] + found["undecided"] == found["targets"] == 5
    assert counts(paired(cells.rename(columns={"FID": "SCS"}), "ipl", "nada", "SCS"))["targets"] == 0


def test_a_method_without_cells_gives_an_empty_table(cells):
    assert len(paired(cells, "air", "nada", "FID")) == 0 and len(paired(cells, "ipl", "nada", "no such score")) == 0
    nothing = overall(paired(cells, "air", "nada", "FID"))
    assert nothing.difference.n == 0 and math.isnan(nothing.sign_p) and math.isnan(nothing.wilcoxon_p)


def test_a_method_against_itself_and_a_cell_twice_are_refused(cells):
    with pytest.raises(UserError, match="two methods"):
        paired(cells, "ipl", "ipl", "FID")
    with pytest.raises(UserError, match="one cell a target and seed"):
        paired(pd.concat([cells, cells]), "ipl", "nada", "FID")


def test_over_targets_the_tests_are_scipys_and_a_plain_count():
    values = np.array([0.3, -0.1, 0.5, 0.7, 0.2, -0.4, 0.6, 0.9])
    frame = pd.DataFrame({"difference": values, "gain": -values})
    found = overall(frame)
    assert (found.up, found.down) == (6, 2)
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(values).pvalue)
    chance = sum(math.comb(8, k) for k in (0, 1, 2, 6, 7, 8)) / 2**8
    assert found.sign_p == pytest.approx(chance)
    assert overall(frame, "gain").difference.value == pytest.approx(-found.difference.value)
    assert overall(frame, "gain").sign_p == pytest.approx(found.sign_p), "two-sided"


def test_ties_and_targets_without_a_difference_are_counted_without_a_warning():
    found = overall(pd.DataFrame({"difference": [0.0, 0.5, 0.5, -0.5, 1.0, 0.0]}))
    assert (found.up, found.down, found.difference.n) == (3, 1, 6) and 0 < found.wilcoxon_p <= 1
    assert math.isnan(overall(pd.DataFrame({"difference": [0.0, 0.0]})).sign_p)


@pytest.mark.parametrize("n", [2, 5])
def test_the_next_value_lies_in_the_prediction_interval_as_often_as_it_says(n):
    draws = np.random.default_rng(n).normal(50, 2, (4000, n + 1))
    hits = [low <= row[-1] <= high for row in draws for low, high in [prediction(row[:-1])]]
    assert abs(np.mean(hits) - 0.95) < 0.012
    low, high = prediction(draws[0, :-1])
    wide = mean_interval(draws[0, :-1])
    assert (high - low) / (2 * wide.half) == pytest.approx(math.sqrt(n + 1)), "sqrt(1 + 1/n) over sqrt(1/n)"


def test_a_family_holds_together_as_often_as_one_of_its_level():
    assert family_level(0.95, 1) == pytest.approx(0.95) and family_level(0.95, 10) == pytest.approx(0.995)
    with pytest.raises(UserError, match="at least one interval"):
        family_level(0.95, 0)


def test_a_spread_of_zero_leaves_a_little_room_and_one_value_none():
    low, high = prediction([1.0, 1.0, 1.0])
    assert 0.99 < low < 1 - LEAST_SPREAD and 1 + LEAST_SPREAD < high < 1.01
    assert all(math.isnan(x) for x in prediction([1.0]))


def test_what_is_the_same_is_inside_however_narrow_the_interval():
    printed = table({("ipl", "sketch"): [100.0, *[1.0] * 30]})
    again = printed.iloc[[0]].assign(FID=100.0004)
    found = compare_cells(printed, again)
    assert found.high[0] < 100 and found.same[0] and found.inside[0] is True
    assert compare_cells(printed, again.assign(FID=99.0)).inside[0] is False


def test_a_recomputed_cell_is_held_against_its_own_method_and_target():
    printed = table({("ipl", "sketch"): [10.0, 11.0, 12.0], ("nada", "sketch"): [20.0, 21.0, 22.0], ("ipl", "statue"): [90.0], ("source", "sketch"): [40.0]})
    again = table({("ipl", "sketch"): [10.5], ("nada", "sketch"): [10.5], ("ipl", "statue"): [91.0], ("source", "sketch"): [41.0], ("air", "sketch"): [1.0]})
    found = compare_cells(printed, again).set_index(["method", "target"])
    assert found.inside["ipl", "sketch"] is True and found.inside["nada", "sketch"] is False
    assert found.inside["ipl", "statue"] is None and found.n["ipl", "statue"] == 1, "one seed tells nothing of the next"
    assert found.inside["source", "sketch"] is True, "nothing is trained, so near is enough"
    assert found.inside["air", "sketch"] is None and found.n["air", "sketch"] == 0
    assert compare_cells(printed, again.iloc[[3]].assign(FID=44.0)).inside[0] is False


def test_a_rank_correlation_is_scipys_and_its_interval_holds_it():
    x = RNG.normal(size=26)
    y = x + RNG.normal(0, 0.7, 26)
    found = rank_correlation(x, y, [f"domain {i // 2}" for i in range(26)], rounds=400)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.low < found.value < found.high and found.n == 26
    assert found == rank_correlation(x, y, [f"domain {i // 2}" for i in range(26)], rounds=400), "the same every time"


def test_points_of_one_domain_are_no_independent_evidence():
    x, y = (np.repeat(RNG.normal(size=8), 10) for _ in range(2))
    alone = rank_correlation(x, y, rounds=400)
    together = rank_correlation(x, y, np.repeat(np.arange(8), 10), rounds=400)
    assert together.value == alone.value and together.high - together.low > 2 * (alone.high - alone.low)


def test_a_correlation_without_points_or_order_is_none_or_zero():
    assert math.isnan(rank_correlation([1, 2, math.nan, 4], [1, 2, 3, 4]).value) and str(rank_correlation([], [])) == "–"
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4], rounds=20).value == 0
    with pytest.raises(UserError, match="rows of one length"):
        rank_correlation([1, 2], [1])


def test_two_scores_agree_on_the_winner_where_their_gains_have_one_sign():
    one = pd.DataFrame({"target": list("abcde"), "gain": [1.0, -1.0, 2.0, 0.0, 1.0]})
    two = pd.DataFrame({"target": list("edcba"), "gain": [3.0, 1.0, -2.0, -1.0, math.nan]})
    assert same_winner(one, two) == (2, 3), "b and e agree, c does not, d has no winner, a no number"
