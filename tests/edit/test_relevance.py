"""Relevance of channels: both bases, reverse mode against differences, and the whole matrix."""

import pytest
import torch
import torch.nn.functional as F
from small_eye import people, small_eye
from torch.testing import assert_close

from iplkit.edit.relevance import channel_strengths, finite_differences, prompt_slopes, reverse_matrix, smoothed
from iplkit.errors import UserError


@pytest.fixture(scope="module")
def eye():
    return small_eye()


@pytest.fixture(scope="module")
def some(eye):
    codes, statistics = people(eye)
    return codes, statistics.mean, statistics.std


def test_rows_are_of_unit_length(eye, some):
    found = finite_differences(eye, *some, columns=[0, 20])
    assert_close(found.rows.norm(dim=1), torch.ones(2))
    assert found.renders == 2 * 3 * 2


def test_the_cumulative_base_leaves_pushed_channels_at_their_mean_and_the_independent_one_does_not(eye, some):
    codes, mean, std = some
    apart, piled = (finite_differences(eye, *some, columns=[0, 20], base=base) for base in ("independent", "cumulative"))
    assert_close(apart.rows[0], piled.rows[0])
    moved = codes.clone()
    moved[:, 0] = mean[0]
    by_hand = finite_differences(eye, moved, mean, std, columns=[20])
    assert_close(piled.slopes[1], by_hand.slopes[0])
    assert not torch.allclose(apart.slopes[1], by_hand.slopes[0], atol=1e-6)


def test_differences_leave_the_codes_as_they_were(eye, some):
    kept = some[0].clone()
    finite_differences(eye, *some, columns=[0], base="cumulative")
    assert_close(some[0], kept, rtol=0, atol=0)


def test_as_the_step_shrinks_differences_become_the_backward_pass(eye, some):
    codes, _, std = some
    direction = F.normalize(torch.randn(16, generator=torch.Generator().manual_seed(2)), dim=0)
    columns = torch.arange(0, 60, 3)
    slopes = prompt_slopes(eye, codes, std, direction)[columns]
    far, near = (
        F.cosine_similarity(finite_differences(eye, *some, columns, step, centre="code").slopes @ direction, slopes, dim=0) for step in (5.0, 0.02)
    )
    assert near > 0.99
    assert near > far


def test_the_whole_matrix_by_reverse_mode_says_the_same_of_a_prompt(eye, some):
    codes, _, std = some
    direction = F.normalize(torch.randn(16, generator=torch.Generator().manual_seed(4)), dim=0)
    whole = reverse_matrix(eye, codes, std)
    assert_close(whole.slopes @ direction, prompt_slopes(eye, codes, std, direction)[whole.columns], rtol=1e-3, atol=1e-6)
    assert_close(whole.rows.norm(dim=1), torch.ones(len(whole.columns)))


def test_channel_strengths_are_the_lengths_of_the_jacobians_columns(eye, some):
    codes, _, std = some
    jacobian = torch.autograd.functional.jacobian(lambda s: eye(s[None])[0], codes[0]) * std  # [E, C]
    found = channel_strengths(eye, codes[:1], std, probes=400)
    large = jacobian.norm(dim=0) > 0.1 * jacobian.norm(dim=0).max()
    assert_close(found[large], jacobian.norm(dim=0)[large], rtol=0.25, atol=0)


def test_smoothing_scatters_codes_by_the_spread_of_each_channel(some):
    codes, _, std = some
    wide = smoothed(codes[:1], std, 0.5, 2000, seed=1)
    moving = std > 1e-3
    assert_close(wide.std(0)[moving], 0.5 * std[moving], rtol=0.1, atol=0)
    assert smoothed(codes, std, 0, 5, seed=1) is codes


@pytest.mark.parametrize("how", [{"step": 0.0}, {"base": "both"}, {"centre": "zero"}])
def test_an_unknown_way_is_refused(eye, some, how):
    with pytest.raises(UserError, match="a step above 0, base"):
        finite_differences(eye, *some, columns=[0], **how)


def test_channels_and_codes_that_do_not_fit_are_refused(eye, some):
    codes, mean, std = some
    with pytest.raises(UserError, match="channels of this S are 0 to"):
        finite_differences(eye, codes, mean, std, columns=[len(std)])
    with pytest.raises(UserError, match=r"needs style codes \[N, "):
        prompt_slopes(eye, codes[:, 1:], std, torch.ones(16))
