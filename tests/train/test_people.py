"""Latent codes and the people they stand for."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.stylegan2.generator import GeneratorConfig, Mapping
from iplkit.train.people import KNOTS, Pool, Reading, codes, directions, uniform_of
from iplkit.world.factors import NUM_FACTORS, index


@pytest.fixture(scope="module")
def mapping():
    config = GeneratorConfig(8, (8, 8), z_dim=48, w_dim=48, n_mlp=2)
    return Mapping(config, torch.Generator().manual_seed(3)).requires_grad_(False)


@pytest.fixture(scope="module")
def reading(mapping):
    return Reading.of(mapping)


def test_the_directions_are_orthonormal_and_always_the_same():
    d = directions(64)
    assert_close(d.T @ d, torch.eye(NUM_FACTORS), atol=1e-5, rtol=0)
    assert torch.equal(d, directions(64))


def test_a_block_of_codes_is_the_same_alone_and_in_a_row():
    assert torch.equal(codes(0, 6, seed=4)[3:5], codes(3, 2, seed=4))
    assert not torch.equal(codes(0, 1, seed=4), codes(0, 1, seed=5))


def test_the_taught_numbers_are_uniform_and_forget_the_length_of_z():
    z = torch.randn(4000, 48, generator=torch.Generator().manual_seed(0))
    u = uniform_of(z)
    assert_close(u.mean(0), torch.full((NUM_FACTORS,), 0.5), atol=0.03, rtol=0)
    assert_close(u.var(0), torch.full((NUM_FACTORS,), 1 / 12), atol=0.01, rtol=0)
    assert_close(uniform_of(7 * z), u, atol=1e-5, rtol=0)


def test_what_is_read_from_w_is_spread_evenly_over_each_factor(mapping, reading):
    z = torch.randn(3000, 48, generator=torch.Generator().manual_seed(9))
    f = reading.factors(mapping.w(z))
    assert f.shape == (3000, NUM_FACTORS) and float(f.min()) >= 0 and float(f.max()) <= 1
    for name in ("skin_tone", "hair_color", "light"):
        assert_close(f[:, index(name)].quantile(torch.tensor([0.25, 0.5, 0.75])), torch.tensor([0.25, 0.5, 0.75]), atol=0.05, rtol=0)


def test_the_reading_is_the_same_every_time(mapping, reading):
    again = Reading.of(mapping)
    assert torch.equal(again.weight, reading.weight) and torch.equal(again.knots, reading.knots)
    assert reading.knots.shape == (NUM_FACTORS, KNOTS + 1)


def test_a_pool_that_was_drawn_by_two_holds_what_one_would_draw(tmp_path, mapping, monkeypatch):
    monkeypatch.setattr(Pool, "BLOCK", 4)
    mapping.z_dim = 48
    monkeypatch.setattr("iplkit.train.people.codes", lambda first, n, seed, z_dim=48: codes(first, n, seed, 48))
    one, two = Pool(tmp_path / "one", 8, 32, 1), Pool(tmp_path / "two", 8, 32, 1)
    one.fill(mapping)
    for part in (1, 0):
        two.fill(mapping, part, 2)
    assert torch.equal(one.load()[1], two.load()[1])
    assert not list((tmp_path / "two").glob("*.tmp*"))
