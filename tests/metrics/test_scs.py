import pytest
import torch
from goldens import hash_uniform

from iplkit.errors import UserError
from iplkit.metrics.scs import scs


def edges(seed, n=4):
    return (hash_uniform(seed, n, 16, 16) * 1.6 - 0.6).clamp(0, 1)


def test_an_unchanged_image_scores_one_and_disjoint_edges_score_zero():
    x = edges(1)
    left, right = x.clone(), x.clone()
    left[..., 8:], right[..., :8] = 0, 0
    assert scs(x, x).value == 1
    assert scs(left, right).value == 0


def test_lies_between_zero_and_one_and_does_not_know_which_came_first():
    a, b = edges(1), edges(2)
    assert 0 < scs(a, b).value < 1
    assert scs(a, b).value == scs(b, a).value


def test_mirroring_both_and_reordering_the_pairs_changes_nothing():
    a, b = edges(1), edges(2)
    for x, y in ((a.flip(2), b.flip(2)), (a.roll(1, 0), b.roll(1, 0))):
        assert scs(x, y).value == pytest.approx(scs(a, b).value, rel=1e-12)


def test_the_wrong_partner_scores_less():
    a = edges(1)
    assert scs(a, a.roll(1, 0)).value < scs(a, a * 0.8).value


def test_two_maps_without_edges_are_counted_and_have_the_value_that_was_asked():
    a, b = edges(1), edges(1)
    a[0], b[0] = 0, 0
    score = scs(a, b)
    assert score.value == 1 and score.settings["num_both_empty"] == 1
    assert scs(a, b, both_empty=0.0).value == 0.75


def test_truncated_edges_are_another_protocol():
    a, b = edges(1), edges(2)
    assert scs(a, b).protocol != scs(a, b, truncate=True).protocol
    assert 0 < abs(scs(a, b).value - scs(a, b, truncate=True).value) < 1e-2
    faint = torch.full((1, 4, 4), 0.003)
    assert scs(faint, faint, truncate=True).settings["num_both_empty"] == 1  # below 1 / 255


def test_a_channel_axis_is_allowed_and_other_shapes_and_ranges_are_refused():
    a = edges(1)
    assert scs(a[:, None], a).value == 1
    with pytest.raises(UserError, match=r"one size; got \(4, 16, 16\) and \(3, 16, 16\)"):
        scs(a, a[:3])
    with pytest.raises(UserError, match=r"in \[0, 1\]; those of the adapted"):
        scs(a, a * 255)
    with pytest.raises(UserError, match=r"in \[0, 1\]; those of the source"):
        scs(a * float("nan"), a)
    with pytest.raises(UserError, match=r"got \(4, 3, 16, 16\)"):
        scs(a[:, None].repeat(1, 3, 1, 1), a)
