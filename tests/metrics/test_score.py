import json

import pytest
import torch

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_features


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
