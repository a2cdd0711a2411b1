import pytest
import torch

from iplkit.compare import Estimate
from iplkit.errors import UserError
from iplkit.oracle.anchors import RIGHT, UNSURE, WRONG, order, verdict_of

NAMES = ("collapsed", "adapted", "source")
VALUES = {name: torch.randn(200, generator=torch.Generator().manual_seed(0)) * spread for name, spread in zip(NAMES, (0.1, 0.5, 1.0))}


def spread(name, rows):
    return VALUES[name][rows].std().item()


def test_a_metric_of_spread_orders_sets_by_their_spread():
    found = order(spread, NAMES, 200)
    assert found.verdict == RIGHT
    assert found.values["source"].value > found.values["adapted"].value
    assert set(found.steps) == {"adapted minus collapsed", "source minus adapted"}


def test_a_metric_turned_round_is_called_wrong_and_a_blind_one_unsure():
    assert order(lambda name, rows: -spread(name, rows), NAMES, 200).verdict == WRONG
    assert order(lambda name, rows: VALUES["source"][rows].mean().item(), NAMES, 200).verdict == UNSURE


def test_one_sure_step_down_outweighs_any_step_up():
    up, down, flat = Estimate(1.0, 0.1), Estimate(-1.0, 0.1), Estimate(0.0, 0.1)
    assert verdict_of([up, down]) == WRONG and verdict_of([up, flat]) == UNSURE and verdict_of([up, up]) == RIGHT


def test_an_order_of_one_set_is_refused():
    with pytest.raises(UserError, match="at least 2 sets"):
        order(spread, NAMES[:1], 200)
