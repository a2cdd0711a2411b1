"""Beta in its three forms, and the step that comes of it."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.global_directions import direction_of, global_direction
from iplkit.edit.selection import Beta, false_share, parse_beta, select, threshold
from iplkit.edit.statistics import StyleStatistics
from iplkit.edit.style_space import StyleSpace
from iplkit.errors import UserError

R = torch.tensor([0.4, -0.3, 0.05, 0.2])
SPACE = StyleSpace(("conv4", "rgb4", "up8"), (2, 2, 2))
STATS = StyleStatistics(SPACE, torch.zeros(6), torch.tensor([2.0, 3, 5, 7, 11, 13]), {})
COLUMNS = SPACE.convolutions


@pytest.mark.parametrize(("text", "beta"), [("0.1", Beta(0.1)), ("20c", Beta(20, "count")), ("3 channels", Beta(3, "count")), ("5%", Beta(0.05, "false"))])
def test_beta_is_read_in_three_forms(text, beta):
    assert parse_beta(text) == beta


@pytest.mark.parametrize("text", ["much", "0c", "2.5c", "120%", "-1", "nan"])
def test_another_beta_is_refused(text):
    with pytest.raises(UserError, match="beta is"):
        parse_beta(text)


def test_a_count_is_the_relevance_of_the_last_channel_taken():
    at = threshold(R, Beta(2, "count"))
    assert int(select(R, at).sum()) == 2
    with pytest.raises(UserError, match="at most the 4 channels"):
        threshold(R, Beta(5, "count"))


def test_a_false_share_takes_as_many_channels_as_chance_allows():
    signal = torch.cat([torch.full((10,), 0.5), torch.full((90,), 0.01)])
    null = torch.linspace(0, 0.1, 100).repeat(20, 1)
    at = threshold(signal, Beta(0.05, "false"), null)
    assert int(select(signal, at).sum()) == 10
    assert float(false_share(signal, null, torch.tensor([0.01]))) == pytest.approx(0.9, abs=0.02)


def test_a_false_share_that_no_threshold_keeps_is_refused():
    with pytest.raises(UserError, match="no threshold keeps the share"):
        threshold(R, Beta(0.01, "false"), torch.full((3, 4), 9.0))
    with pytest.raises(UserError, match="random pairs of texts"):
        threshold(R, Beta(0.01, "false"))


def test_a_beta_above_every_channel_is_refused_with_the_largest_usable_one():
    with pytest.raises(UserError, match="at most 0.4 for this prompt"):
        select(R, 0.5)
    assert select(R, 0.4).tolist() == [True, False, False, False]


def test_strength_1_moves_the_strongest_channel_by_one_standard_deviation_and_torgb_not_at_all():
    step = direction_of(R, COLUMNS, STATS, Beta(0.1))
    assert_close(step.delta, torch.tensor([2.0, -0.75 * 3, 0, 0, 0, 0.5 * 13]))
    assert step.taken.tolist() == [0, 1, 5]


def test_without_scaling_a_channel_moves_in_its_own_units():
    assert_close(direction_of(R, COLUMNS, STATS, Beta(0.1), scaled=False).delta, torch.tensor([1.0, -0.75, 0, 0, 0, 0.5]))


def test_the_matrix_gives_the_relevance_of_a_text_and_must_be_as_wide():
    rows = torch.eye(4)[:, :3]
    assert_close(global_direction(rows, COLUMNS, torch.tensor([0.0, 1, 0]), STATS).relevance, torch.tensor([0.0, 1, 0, 0]))
    with pytest.raises(UserError, match="rows of 5 numbers"):
        global_direction(rows, COLUMNS, torch.ones(5), STATS)
