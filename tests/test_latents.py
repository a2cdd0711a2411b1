import math

import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.latents import add_to_rows, lerp, mix, row_groups, sample_z, slerp, truncate, z_from_seeds


def test_a_seed_gives_the_same_person_in_any_company():
    assert torch.equal(z_from_seeds([7, 3])[1], z_from_seeds([3])[0])
    assert not torch.equal(z_from_seeds([7])[0], z_from_seeds([3])[0])
    assert z_from_seeds([]).shape == (0, 512)


def test_sampling_follows_its_generator_alone():
    a, b = (torch.Generator().manual_seed(1) for _ in range(2))
    torch.manual_seed(5)
    x = sample_z(4, a, z_dim=8)
    torch.manual_seed(6)
    assert torch.equal(x, sample_z(4, b, z_dim=8))


def test_truncation_ends_at_the_middle_and_begins_at_w(generator):
    w, w_avg = torch.randn(3, 8, generator=generator), torch.randn(8, generator=generator)
    assert_close(truncate(w, w_avg, 0.0), w_avg.expand(3, 8))
    assert_close(truncate(w, w_avg, 1.0), w)
    assert_close(truncate(w, w_avg, 0.5), (w + w_avg) / 2)


def test_mixing_takes_the_rows_below_the_crossover_from_a():
    a, b = torch.zeros(1, 6, 2), torch.ones(1, 6, 2)
    assert mix(a, b, 2)[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1]
    assert torch.equal(mix(a, b, 0), b) and torch.equal(mix(a, b, 6), a)
    with pytest.raises(UserError, match="0 to 6"):
        mix(a, b, 7)
    with pytest.raises(UserError, match="one shape"):
        mix(a, b[:, :4], 2)


def test_slerp_stays_on_the_sphere_and_lerp_leaves_it(generator):
    a, b = (torch.nn.functional.normalize(torch.randn(5, 16, generator=generator), dim=1) for _ in range(2))
    middle = slerp(a, b, 0.5)
    assert_close(middle.norm(dim=1), torch.ones(5))
    assert (lerp(a, b, 0.5).norm(dim=1) < 0.99).all()
    assert_close(middle, torch.nn.functional.normalize(lerp(a, b, 0.5), dim=1))
    assert_close(slerp(a, b, 0.0), a)
    assert_close(slerp(a, b, 1.0), b)


def test_slerp_runs_at_constant_speed():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    x = slerp(a, b, torch.tensor([[1 / 3]]))
    assert_close(torch.atan2(x[:, 1], x[:, 0]), torch.tensor([math.pi / 6]))
    assert_close(x.norm(dim=1), torch.tensor([4 / 3]))


def test_slerp_between_parallel_codes_is_straight(generator):
    a = torch.randn(2, 8, generator=generator)
    assert_close(slerp(a, 3 * a, 0.5), 2 * a)


@pytest.mark.parametrize("num_ws", [1, 4, 6, 8, 10, 14, 18])
def test_row_groups_cover_every_row_once(num_ws):
    groups = row_groups(num_ws)
    assert list(groups) == ["coarse", "middle", "fine"]
    assert [row for rows in groups.values() for row in rows] == list(range(num_ws))


def test_row_groups_of_a_large_generator_are_the_fields():
    assert row_groups(18) == {"coarse": range(0, 4), "middle": range(4, 8), "fine": range(8, 18)}


def test_only_chosen_rows_move(generator):
    ws, d = torch.randn(2, 6, 4, generator=generator), torch.randn(4, generator=generator)
    before = ws.clone()
    moved = add_to_rows(ws, d, [1, 4], strength=2.0)
    assert torch.equal(ws, before)
    assert torch.equal(moved[:, [0, 2, 3, 5]], ws[:, [0, 2, 3, 5]])
    assert_close(moved[:, 4], ws[:, 4] + 2 * d)


def test_each_image_may_have_its_strength_and_each_row_its_direction(generator):
    ws, d = torch.randn(2, 6, 4, generator=generator), torch.randn(6, 4, generator=generator)
    moved = add_to_rows(ws, d, range(3), strength=torch.tensor([0.0, 1.0]))
    assert torch.equal(moved[0], ws[0])
    assert_close(moved[1, :3], ws[1, :3] + d[:3])


def test_rows_and_directions_that_do_not_exist_are_refused():
    with pytest.raises(UserError, match="0 to 5"):
        add_to_rows(torch.zeros(1, 6, 4), torch.zeros(4), [6], 1.0)
    with pytest.raises(UserError, match="direction needs"):
        add_to_rows(torch.zeros(1, 6, 4), torch.zeros(5), [0], 1.0)
