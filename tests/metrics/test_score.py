import json

import pytest
import torch

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_features, check_pairs, mean_score


def test_a_score_prints_its_spread_and_its_numbers_of_images():
    assert str(Score("FID", 12.3456, 0.25, 100, 50)) == "FID = 12.35 ± 0.25  (50 fake, 100 real)"
    assert "±" not in str(Score("FID", 1.0, None, 2, 2))


def test_a_score_is_plain_json():
    assert json.loads(json.dumps(Score("IS", 2.0, 0.1, 0, 5, {"splits": 2}).to_json()))["settings"] == {"splits": 2}


@pytest.mark.parametrize("real, fake, words", [
    (torch.zeros(3, 4), torch.zeros(3, 5), r"\[N, D\].*got \(3, 4\)"),
    (torch.zeros(3), torch.zeros(3), r"\[N, D\]"),
    (torch.zeros(3, 4), torch.full((2, 4), float("nan")), "2 of 2 fake rows"),
])
def test_features_that_no_distance_can_compare_are_refused(real, fake, words):
    with pytest.raises(UserError, match=words):
        check_features(real, fake)


def test_a_score_can_be_signed_by_the_network_that_made_its_features():
    plain = Score("KID", 0.1, None, 3, 4)
    signed = plain.by("judge", "abc")
    assert (signed.extractor, signed.extractor_hash, signed.value) == ("judge", "abc", 0.1)
    assert (plain.extractor, plain.protocol, plain.interval) == ("", "", None)
    assert {"interval", "protocol", "extractor", "extractor_hash"} <= set(signed.to_json())


def test_an_interval_is_printed():
    assert str(Score("ID", 0.5, None, 4, 4, interval=(0.25, 0.75))) == "ID = 0.5 [0.25, 0.75]  (4 fake, 4 real)"


@pytest.mark.parametrize("a, b", [(torch.zeros(3, 4), torch.zeros(4, 4)), (torch.zeros(0, 4), torch.zeros(0, 4)), (torch.zeros(3), torch.zeros(3))])
def test_rows_that_do_not_belong_together_are_refused(a, b):
    with pytest.raises(UserError, match="row by row; got"):
        check_pairs(a, b)


def test_a_mean_comes_with_its_standard_error():
    score = mean_score("x", torch.tensor([1.0, 3.0], dtype=torch.float64), 2, protocol="p")
    assert (score.value, score.spread, score.settings["std"], score.protocol) == (2.0, 1.0, 1.0, "p")
    assert mean_score("x", torch.tensor([1.0]), 0).spread is None
