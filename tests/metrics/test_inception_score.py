import numpy as np
import pytest
import torch
from goldens import hash_uniform, normal

from iplkit.errors import UserError
from iplkit.metrics.inception_score import inception_score


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
