import pytest
import torch

from iplkit.errors import UserError
from iplkit.metrics.auc import spearman
from iplkit.oracle.agreement import agreement, partial_spearman, sweep

STRENGTH = torch.arange(24.0).remainder(4)
FAMILIES = [f"generator {i // 4}" for i in range(24)]


def noise(seed):
    return torch.randn(24, generator=torch.Generator().manual_seed(seed))


def test_a_metric_that_only_sees_strength_agrees_until_strength_is_held():
    metric, truth = STRENGTH + 0.1 * noise(1), STRENGTH + 0.1 * noise(2)
    found = agreement(metric, truth, STRENGTH, FAMILIES)
    assert found["all"].value > 0.85
    low, high = found["strength held"].interval
    assert low < 0 < high


def test_a_metric_that_sees_more_than_strength_agrees_also_when_it_is_held():
    extra = 2 * noise(3)
    found = agreement(STRENGTH + extra, STRENGTH + extra + 0.05 * noise(4), STRENGTH, FAMILIES)
    low, high = found["strength held"].interval
    assert 0.5 < low <= found["strength held"].value <= high


def test_the_partial_correlation_is_the_textbook_one():
    x, y, z = noise(5), noise(6), noise(7)
    xy, xz, yz = (spearman(a, b) for a, b in ((x, y), (x, z), (y, z)))
    want = (xy - xz * yz) / ((1 - xz**2) * (1 - yz**2)).sqrt()
    assert partial_spearman(x, y, z) == pytest.approx(want.item(), abs=1e-9)
    assert partial_spearman(z, y, z) == 0


def test_points_of_one_generator_are_drawn_together():
    found = agreement(noise(1), noise(2), STRENGTH, FAMILIES)["all"].settings
    assert found["resampled"] == "families" and found["families"] == 6
    assert agreement(noise(1), noise(2), STRENGTH, ["a"] * 24)["all"].settings["resampled"] == "points"


def test_a_sweep_begins_at_the_source_and_names_every_point():
    from test_strengths import small

    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    rows = sweep(small(1), {"a": small(2)}, (0.0, 1.0), z, lambda name, x: {"mean": x.mean().item()})
    assert [(r["family"], r["strength"]) for r in rows] == [("a", 0.0), ("a", 1.0)]
    assert rows[0]["mean"] != rows[1]["mean"]


def test_few_points_and_rows_of_different_length_are_refused():
    with pytest.raises(UserError, match="4 points or more"):
        agreement(noise(1)[:3], noise(2)[:3], STRENGTH[:3], FAMILIES[:3])
    with pytest.raises(UserError, match="rows of one length"):
        agreement(noise(1), noise(2)[:5], STRENGTH, FAMILIES)
