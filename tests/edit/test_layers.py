"""Row edits: what moves is what was named, and nothing else."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.layers import move_groups, row_effects, rows_of, take_each_row, take_rows
from iplkit.errors import UserError
from iplkit.latents import mix

EXACT = {"rtol": 0, "atol": 0}


@pytest.fixture
def codes(generator):
    return torch.randn(2, 3, 10, 8, generator=generator).unbind(0)


def test_taken_rows_are_the_donors_and_the_others_stay(codes):
    ws, donor = codes
    taken = take_rows(ws, donor, [1, 4])
    assert_close(taken[:, [1, 4]], donor[:, [1, 4]], **EXACT)
    rest = [0, 2, 3, 5, 6, 7, 8, 9]
    assert_close(taken[:, rest], ws[:, rest], **EXACT)


def test_taking_leaves_both_codes_as_they_were(codes):
    ws, donor = codes
    kept = ws.clone(), donor.clone()
    take_rows(ws, donor, [0]).zero_()
    assert_close((ws, donor), kept, **EXACT)


def test_taking_all_late_rows_is_style_mixing(codes):
    ws, donor = codes
    assert_close(take_rows(ws, donor, range(4, 10)), mix(ws, donor, 4), **EXACT)


def test_taking_no_row_changes_nothing(codes):
    ws, donor = codes
    assert_close(take_rows(ws, donor, []), ws, **EXACT)


def test_each_row_is_taken_once(codes):
    ws, donor = codes
    each = take_each_row(ws, donor)
    assert each.shape == (10, 3, 10, 8)
    changed = (each != ws).any(dim=-1).any(dim=1)  # [R, R]
    assert torch.equal(changed, torch.eye(10, dtype=torch.bool))


def test_groups_move_by_their_own_strength(codes):
    ws, _ = codes
    direction = torch.ones(8)
    moved = move_groups(ws, direction, {"coarse": 2.0, "fine": -1.0}) - ws
    wanted = torch.tensor([2.0] * 4 + [0.0] * 4 + [-1.0] * 2).view(1, 10, 1).expand_as(moved)
    assert_close(moved, wanted, rtol=0, atol=1e-6)  # (a + b) - a rounds once


def test_moving_no_group_changes_nothing(codes):
    ws, _ = codes
    assert_close(move_groups(ws, torch.ones(8), {}), ws, **EXACT)


def test_a_row_that_goes_all_the_way_has_effect_one():
    before, donor = torch.zeros(4, 2), torch.full((4, 2), 0.5)
    after = torch.stack([before, donor, 0.5 * (before + donor)])
    assert_close(row_effects(before, after, donor), torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]]))


def test_an_effect_counts_both_ways():
    before, donor = torch.tensor([[0.2], [0.8]]), torch.tensor([[0.8], [0.2]])
    assert_close(row_effects(before, donor[None], donor), torch.ones(1, 1))


def test_an_unknown_group_is_refused():
    with pytest.raises(UserError, match="one of coarse, middle, fine; got 'medium'"):
        rows_of(10, "medium")


def test_a_row_that_does_not_exist_is_refused(codes):
    with pytest.raises(UserError, match=r"rows must lie in 0 to 9; got \[10\]"):
        take_rows(*codes, [10])


def test_codes_of_two_shapes_are_refused(codes):
    with pytest.raises(UserError, match="of one shape"):
        take_rows(codes[0], codes[1][:, :8], [0])


def test_effects_of_wrong_shapes_are_refused():
    with pytest.raises(UserError, match=r"row_effects needs \[N, F\]"):
        row_effects(torch.zeros(4, 2), torch.zeros(3, 2), torch.ones(4, 2))


def test_a_factor_that_never_differs_is_refused():
    with pytest.raises(UserError, match="1 of 2 do not"):
        row_effects(torch.zeros(4, 2), torch.zeros(1, 4, 2), torch.tensor([[1.0, 0.0]]).expand(4, 2))
