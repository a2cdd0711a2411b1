"""Shares of the way and their intervals."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.layers import row_effects
from iplkit.edit.moves import largest, moved_shares, moves_by_factor, purity, shares_of_the_way
from iplkit.errors import UserError


@pytest.fixture
def people(generator):
    return torch.rand(2, 400, 3, generator=generator).unbind(0)


def test_an_edit_that_goes_a_share_of_the_way_is_found_exactly(people):
    before, donor = people
    after = torch.stack([before + s * (donor - before) for s in (0.0, 0.25, 1.0)])
    for measure in (moved_shares, shares_of_the_way):
        share, half = measure(before, after, donor)
        assert_close(share, torch.tensor([0.0, 0.25, 1.0])[:, None].expand(3, 3))
        assert float(half.max()) < 1e-6


def test_a_move_to_and_fro_is_a_move_but_no_way(people, generator):
    before, donor = people
    after = (before + torch.randn(400, 3, generator=generator))[None]
    assert float(moved_shares(before, after, donor)[0].min()) > 1
    share, half = shares_of_the_way(before, after, donor)
    assert bool((share.abs() < 1.5 * half).all())


def test_the_interval_holds_the_truth_about_nineteen_times_in_twenty(generator):
    hits = []
    for _ in range(300):
        before, donor = torch.rand(2, 60, 1, generator=generator).unbind(0)
        after = (before + 0.4 * (donor - before) + 0.2 * torch.randn(60, 1, generator=generator))[None]
        share, half = shares_of_the_way(before, after, donor)
        hits.append(bool((share - 0.4).abs() < half))
    assert 0.9 < sum(hits) / len(hits) < 0.985


def test_the_value_is_that_of_row_effects(people, generator):
    before, donor = people
    after = torch.rand(4, 400, 3, generator=generator)
    assert_close(moved_shares(before, after, donor)[0], row_effects(before, after, donor))


def test_one_person_has_no_interval():
    one = torch.zeros(1, 2)
    with pytest.raises(UserError, match="at least 2 people"):
        moved_shares(one, one[None], one + 1)


def test_moves_by_factor_are_mean_sizes():
    found = moves_by_factor(torch.zeros(2, 2), torch.tensor([[1.0, -1.0], [3.0, 1.0]]))
    assert [i.value for i in found] == [2.0, 1.0] and found[0].n == 2


def test_purity_is_the_asked_factors_share_of_all_moves():
    moves = torch.tensor([0.5, -1.5, 0.0])
    assert (purity(moves, 1), purity(moves, 2), largest(moves)) == (0.75, 0.0, 1)
