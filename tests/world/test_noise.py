import torch

from iplkit.world.geometry import pixel_grid
from iplkit.world.noise import cells, dots, grain, value_noise

SEEDS = torch.tensor([3, 4])


def test_value_noise_lies_between_0_and_1_and_uses_its_range():
    field = value_noise(*pixel_grid(64, "cpu"), 8.0, SEEDS)
    assert field.shape == (2, 1, 64, 64)
    assert 0 <= field.min() < 0.1 and 0.9 < field.max() <= 1


def test_the_same_seed_gives_the_same_field_whatever_its_neighbor():
    grid = pixel_grid(32, "cpu")
    both, alone = value_noise(*grid, 5.0, SEEDS), value_noise(*grid, 5.0, SEEDS[1:])
    assert torch.equal(both[1:], alone) and not torch.equal(both[:1], alone)
    assert torch.equal(grain(2, 16, 16, SEEDS)[1:], grain(1, 16, 16, SEEDS[1:]))


def test_another_salt_gives_another_field():
    grid = pixel_grid(32, "cpu")
    assert not torch.allclose(value_noise(*grid, 5.0, SEEDS, 1), value_noise(*grid, 5.0, SEEDS, 2), atol=0.1)


def test_noise_is_the_same_texture_at_every_size():
    small, large = (value_noise(*pixel_grid(s, "cpu"), 2.0, SEEDS) for s in (64, 128))
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(large, 2), small, atol=0.01, rtol=0)


def test_noise_has_no_jumps():
    field = value_noise(*pixel_grid(256, "cpu"), 2.0, SEEDS)
    assert field.diff(dim=-1).abs().max() < 0.05


def test_grain_has_mean_0_and_deviation_1():
    field = grain(1, 128, 128, SEEDS[:1])
    assert abs(float(field.mean())) < 0.03 and abs(float(field.std()) - 1) < 0.03


def test_cells_have_constant_numbers_inside_and_a_border_between_them():
    a, b, border = cells(*pixel_grid(64, "cpu"), 2.0, SEEDS)
    assert (border >= 0).all() and border.min() < 0.05
    jump = a.diff(dim=-1).abs() > 0
    assert border[..., 1:][jump].max() < border.max() / 4  # numbers change at borders only
    assert 10 < len(a[0].unique()) < 60 and len(b[0].unique()) == len(a[0].unique())


def test_dots_are_nearest_at_their_middle():
    _, _, near = dots(*pixel_grid(128, "cpu"), 6.0, SEEDS)
    assert near.min() < 0.1 and 0.5 < near.max() < 1.0
