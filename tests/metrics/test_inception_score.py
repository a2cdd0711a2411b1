import numpy as np
import pytest
import torch
from goldens import hash_uniform, normal

from iplkit.errors import UserError
from iplkit.metrics.inception_score import inception_score, inception_score_of_logits, is_ref, is_torchvision, split_rows


def test_agrees_with_the_stored_values():
    probs = (normal(30, 1000, 1008) * 2).softmax(dim=1)
    score = inception_score(probs)
    assert score.value == pytest.approx(5.96444137624833, rel=1e-9)
    assert score.spread == pytest.approx(0.19093245177705975, rel=1e-9)
    assert inception_score(probs, splits=1).value == pytest.approx(6.5585273039647, rel=1e-9)


def test_no_image_is_dropped_when_splits_do_not_divide():
    logits = normal(31, 1003, 20) * 3
    score = inception_score(logits.softmax(dim=1))
    assert (score.value, score.spread) == pytest.approx((5.5123980793943295, 0.3321493474067076), rel=1e-6)
    few = inception_score(logits[:12].softmax(dim=1))  # torch.chunk would make 6 splits of these 12 rows
    assert (few.value, few.spread) == pytest.approx((1.1098261602170927, 0.22713112490825532), rel=1e-9)


def test_agrees_with_a_stream_that_needs_no_random_library():
    score = inception_score(((hash_uniform(3, 200, 50) - 0.5) * 8).softmax(dim=1), splits=5)
    assert (score.value, score.spread) == pytest.approx((2.8418745249642656, 0.048123677334050284), rel=1e-9)


def test_sure_and_evenly_spread_is_the_number_of_classes_and_equal_rows_are_one():
    certain = torch.eye(10).repeat(100, 1)  # holds exact zeros
    assert inception_score(certain).value == pytest.approx(10, abs=1e-9)
    assert inception_score(normal(1, 1, 9).softmax(dim=1).repeat(100, 1)).value == pytest.approx(1, abs=1e-12)


def test_agrees_with_torch_fidelity_on_its_own_order():
    reference = pytest.importorskip("torch_fidelity.metric_isc")
    logits = normal(30, 1000, 1008) * 2
    want = reference.isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=2020)
    order = torch.from_numpy(np.random.RandomState(2020).permutation(1000))
    got = inception_score(logits[order].softmax(dim=1))
    assert got.value == pytest.approx(float(want["inception_score_mean"]), rel=1e-9)
    assert got.spread == pytest.approx(float(want["inception_score_std"]), rel=1e-9)


@pytest.mark.parametrize("probs, splits, words", [
    (torch.randn(20, 5, generator=torch.Generator().manual_seed(0)), 2, "sum to 1"),
    (torch.full((5, 4), 0.25), 10, "10 splits of 5 images"),
])
def test_logits_and_too_many_splits_are_refused(probs, splits, words):
    with pytest.raises(UserError, match=words):
        inception_score(probs, splits)


def test_logits_and_their_probabilities_give_one_score():
    logits = normal(31, 120, 20) * 3
    assert inception_score_of_logits(logits, 4).value == pytest.approx(inception_score(logits.softmax(dim=1), 4).value, rel=1e-12)


def test_the_reference_agrees_with_torch_fidelity_in_one_call():
    reference = pytest.importorskip("torch_fidelity.metric_isc")
    logits = normal(30, 200, 1008) * 2
    want = reference.isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=2020)
    got = is_ref(logits, shuffle=2020)
    assert (got.value, got.spread) == pytest.approx((want["inception_score_mean"], want["inception_score_std"]), rel=1e-9)


def test_agrees_with_torchmetrics_on_its_own_order_splits_and_spread():
    reference = pytest.importorskip("torchmetrics.image.inception")
    logits = normal(31, 103, 20) * 3
    with pytest.warns(UserWarning, match="will save all extracted features"):
        metric = reference.InceptionScore(feature=torch.nn.Identity())
    metric.update(logits)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        order = torch.randperm(103)
        torch.manual_seed(3)
        mean, spread = metric.compute()
    got = inception_score_of_logits(logits[order], 10, ddof=1, rule="chunk")
    assert (got.value, got.spread) == pytest.approx((float(mean), float(spread)), rel=1e-9)


def test_the_two_networks_are_two_metrics():
    assert is_ref(normal(0, 20, 1008)).name != is_torchvision(normal(0, 20, 1000)).name
    with pytest.raises(UserError, match=r"is_ref needs logits of 1008 classes, \[N, 1008\]; got \(20, 1000\)"):
        is_ref(normal(0, 20, 1000))
    with pytest.raises(UserError, match="is_torchvision needs logits of 1000 classes"):
        is_torchvision(normal(0, 20, 1008))


@pytest.mark.parametrize("rule, sizes", [("floor", [2, 2, 3]), ("drop", [2, 2, 2]), ("chunk", [3, 3, 1])])
def test_each_rule_cuts_as_its_library_does(rule, sizes):
    assert [rows.stop - rows.start for rows in split_rows(7, 3, rule)] == sizes


def test_the_order_within_one_split_does_not_matter():
    logits = normal(3, 50, 9)
    assert inception_score_of_logits(logits.flip(0), 1).value == pytest.approx(inception_score_of_logits(logits, 1).value, rel=1e-12)


def test_broken_logits_and_unknown_rules_are_refused():
    with pytest.raises(UserError, match="1 of 3 logits rows"):
        inception_score_of_logits(torch.tensor([[0.0, 1.0], [float("nan"), 0.0], [1.0, 1.0]]), 1)
    with pytest.raises(UserError, match="floor, drop or chunk; got 'even'"):
        split_rows(7, 3, "even")
    with pytest.raises(UserError, match="sum to 1"):
        inception_score(torch.full((5, 4), float("nan")), 2)
