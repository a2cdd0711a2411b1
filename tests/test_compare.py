"""Intervals of scores, and of differences between methods on the same latents."""

import pytest
import torch

from iplkit.compare import Estimate, compare, intervals, set_numbers
from iplkit.errors import UserError


def features(n, generator, shift=0.0, domain=1):
    """What a judge could say of a set: four feature channels, three domains and "none", five kinds."""
    probs = torch.full((n, 4), 0.1)
    probs[:, domain] = 0.7
    kinds = torch.softmax(3 * torch.randn(n, 5, generator=generator), dim=1)
    return {"pool": torch.randn(n, 4, generator=generator) + shift, "domain_probs": probs, "kinds_probs": kinds}


def test_the_interval_of_a_mean_has_the_width_that_theory_says(generator):
    x = torch.randn(400, generator=generator)
    found = intervals(lambda rows: {"mean": x[rows].mean().item()}, [400], rounds=200)["mean"]
    assert found.value == pytest.approx(x.mean().item())
    assert found.half == pytest.approx(1.96 * x.std().item() / 20, rel=0.15)  # 200 rounds: 5 % of a deviation


def test_the_same_seed_gives_the_same_intervals(generator):
    x = torch.randn(50, generator=generator)
    first, again = (intervals(lambda rows: {"mean": x[rows].mean().item()}, [50], seed=3) for _ in range(2))
    assert first == again


def test_pairing_makes_the_interval_of_a_difference_narrow(generator):
    real, a = features(200, generator), features(200, generator)
    b = {**a, "pool": a["pool"] + 0.05}
    table = compare(real, {"a": a, "b": b}, 1, [("b", "a")])
    difference = table["b minus a"]["FID"]
    assert difference.value == pytest.approx(table["b"]["FID"].value - table["a"]["FID"].value)
    assert difference.half < 0.8 * (table["a"]["FID"].half ** 2 + table["b"]["FID"].half ** 2) ** 0.5


def test_equal_sets_differ_by_nothing(generator):
    real, a = features(60, generator), features(60, generator)
    table = compare(real, {"a": a, "b": dict(a)}, 1, [("a", "b")], rounds=5)
    assert all(estimate.value == estimate.half == 0 for estimate in table["a minus b"].values())


def test_the_last_class_counts_as_none(generator):
    real = features(30, generator)
    found = set_numbers(real, features(30, generator, domain=3), domain=1)
    assert found["none"] == 1 and found["called"] == 0


def test_a_shift_of_the_features_is_the_distance(generator):
    real = features(30, generator)
    fake = {**real, "pool": real["pool"] + 2.0}
    assert set_numbers(real, fake, 1)["FID"] == pytest.approx(16.0)


def test_an_estimate_prints_value_and_width_with_the_same_decimals():
    assert str(Estimate(12.3456, 0.789)) == "12.35 ± 0.79"
    assert str(Estimate(-123.4, 45.6)) == "\N{MINUS SIGN}123 ± 46"
    assert str(Estimate(1.0, 0.0)) == "1"


def test_sets_of_different_sizes_are_refused(generator):
    with pytest.raises(UserError, match="one size"):
        compare(features(9, generator), {"a": features(9, generator), "b": features(8, generator)}, 1)


def test_one_round_gives_no_interval():
    with pytest.raises(UserError, match="at least 2 rounds"):
        intervals(lambda rows: {"x": 0.0}, [3], rounds=1)
