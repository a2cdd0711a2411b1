"""The lab report's walk as it was, and the two that stay in W."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.layers import take_rows
from iplkit.edit.probes import principal
from iplkit.edit.walks import FRAMES, STEP, STEPS, inside, isotropic, report_groups, share_inside, toward, walked
from iplkit.errors import UserError
from iplkit.stylegan2.tables import num_rows


@pytest.fixture
def codes(generator):
    return torch.randn(2, 3, 10, 8, generator=generator).unbind(0)


@pytest.mark.parametrize("size", [16, 32, 64, 256, 512, 1024])
def test_the_four_groups_hold_every_row_once(size):
    groups = report_groups(size)
    assert len(groups) == 4 and [row for rows in groups for row in rows] == list(range(num_rows(size)))


def test_the_groups_are_the_reports():
    assert [(g.start, g.stop) for g in report_groups(512)] == [(0, 4), (4, 8), (8, 12), (12, 16)]
    assert [(g.start, g.stop) for g in report_groups(64)] == [(0, 3), (3, 5), (5, 8), (8, 10)]
    assert (STEP, STEPS, FRAMES) == (0.03, 50, (0, 15, 30, 45))
    assert [g.stop for g in report_groups(1024)] == [5, 9, 14, 18]
    with pytest.raises(UserError, match="power of 2"):
        report_groups(96)


def test_a_walk_at_once_is_the_walk_step_by_step(codes, generator):
    ws, _ = codes
    offset = isotropic(3, range(3, 5), 8, generator)
    slowly = ws.clone()
    for _ in range(15):
        slowly[:, 3:5] += offset * 0.03
    assert_close(walked(ws, range(3, 5), offset, 15), slowly)
    assert torch.equal(walked(ws, range(3, 5), offset, 15)[:, :3], ws[:, :3])


def test_an_offset_inside_w_has_the_covariance_of_w_and_equal_rows(generator):
    w = torch.randn(4000, 6, generator=generator) * torch.tensor([3.0, 2.0, 1.0, 0.0, 0.0, 0.0])
    offset = inside(4000, range(2), principal(w), generator)
    assert torch.equal(offset[:, 0], offset[:, 1])
    assert_close(torch.cov(offset[:, 0].T), torch.cov(w.T), atol=0.4, rtol=0)
    assert share_inside(offset, principal(w)) > 0.85
    flat = isotropic(4000, range(2), 6, generator)
    assert share_inside(flat, principal(w)) == pytest.approx(2 / 6, abs=0.02)


def test_all_the_way_to_another_person_takes_the_rows_over(codes):
    ws, donor = codes
    assert torch.equal(toward(ws, donor, [1, 2], 0.0), ws)
    assert_close(toward(ws, donor, [1, 2], 1.0), take_rows(ws, donor, [1, 2]))


def test_rows_that_do_not_exist_and_offsets_of_another_shape_are_refused(codes, generator):
    ws, donor = codes
    with pytest.raises(UserError, match=r"rows must lie in 0 to 9; got \[8, 9, 10\]"):
        walked(ws, range(8, 11), isotropic(3, range(3), 8, generator), 1)
    with pytest.raises(UserError, match="0 to 9"):
        toward(ws, donor, [-1], 0.5)
    with pytest.raises(UserError, match="an offset needs shape"):
        walked(ws, [0], isotropic(3, range(2), 8, generator), 1)
