import json
import math

import pytest

from iplkit.bars.row import meets, rate_row, value_row
from iplkit.errors import UserError


@pytest.mark.parametrize("value, asked, met", [
    (0.98, ">= 0.98", True), (0.979, ">= 0.98", False), (0.05, "<= 0.05", True), (math.nan, "<= 1", False), (3.0, "", None),
])
def test_a_bar_is_cleared_from_its_own_value_on_and_never_by_nan(value, asked, met):
    assert meets(value, asked) is met


def test_a_rate_carries_its_interval_and_a_row_is_plain_json():
    row = rate_row("M1", "called", 98, 100, ">= 0.98")
    assert row.low < 0.98 < row.high and row.met
    assert json.loads(json.dumps(row.to_json()))["n"] == 100


def test_a_spread_becomes_an_interval():
    row = value_row("M2", "x", 1.0, 5, spread=0.1)
    assert (row.low, row.high) == pytest.approx((0.804, 1.196), abs=1e-3)
    assert value_row("M2", "x", 1.0, 5).low is None


def test_a_bar_in_other_words_is_refused():
    with pytest.raises(UserError, match="a bar is"):
        meets(1.0, "> 3")
