"""Probes find what was put in."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.probes import best_coordinates, best_probe, fit_probe, principal, shares_of_blocks
from iplkit.errors import UserError
from iplkit.world.fit import r2_score


def test_principal_directions_are_those_that_were_stretched(generator):
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator).double()).Q
    x = torch.randn(20000, 6, generator=generator).double() * torch.tensor([5.0, 3.0, 1.0, 0.2, 0.1, 0.05]) @ turn.T + 7
    found = principal(x)
    assert_close((found.directions @ turn).abs(), torch.eye(6).double(), atol=0.05, rtol=0)
    assert_close(found.spreads[:3], torch.tensor([5.0, 3.0, 1.0]).double(), rtol=0.03, atol=0)
    assert found.enough(0.9) == 2 and found.held()[-1] == pytest.approx(1)
    assert (found.directions.gather(1, found.directions.abs().argmax(1, keepdim=True)) > 0).all()


def test_fewer_directions_hold_a_share_of_the_whole(generator):
    x = torch.randn(50, 4, generator=generator)
    assert_close(principal(x, most=2).held(), principal(x).held()[:2])


def test_a_plain_probe_is_exact_where_factors_are_linear(generator):
    x = torch.randn(60, 5, generator=generator).double()
    true = torch.randn(5, 2, generator=generator).double()
    probe = fit_probe(x, x @ true + 3, 0.0)
    assert_close(probe.weights, true)
    assert_close(probe(x), x @ true + 3)


def test_the_ridge_is_chosen_on_codes_apart(generator):
    x = torch.randn(300, 80, generator=generator)
    y = x[:, :1] + 2 * torch.randn(300, 1, generator=generator)
    probe = best_probe(x[:100], y[:100], x[100:200], y[100:200])
    plain = fit_probe(x[:100], y[:100], 0.1)
    test, truth = x[200:], y[200:].double()
    assert r2_score(probe(test), truth) > r2_score(plain(test), truth)


def test_one_coordinate_is_enough_where_factors_lie_along_the_axes_and_not_where_they_are_turned(generator):
    x = torch.randn(400, 12, generator=generator)
    turn = torch.linalg.qr(torch.randn(12, 12, generator=generator)).Q
    for codes, wanted in ((x, True), (x @ turn, False)):
        scores = best_coordinates(codes[:300], x[:300, :3], codes[300:], x[300:, :3], 12)
        assert scores.shape == (12, 3)
        assert bool((scores[0] > 0.99).all()) == wanted and bool((scores[-1] > 0.99).all())


def test_more_coordinates_than_there_are_is_refused(generator):
    x = torch.randn(9, 3, generator=generator)
    with pytest.raises(UserError, match="1 to 3 of them; got 4"):
        best_coordinates(x, x, x, x, 4)
    with pytest.raises(UserError, match="at least 2 codes"):
        principal(x[:1])


def test_shares_of_blocks_are_the_variances_of_their_parts(generator):
    x = torch.randn(5000, 6, generator=generator)
    y = torch.stack([x[:, 0], x[:, 0] + 2 * x[:, 3]], dim=1)
    shares = shares_of_blocks(x, fit_probe(x, y, 0.0), 3)
    assert_close(shares, torch.tensor([[1, 0.2], [0, 0.8], [0, 0]]).double(), atol=0.03, rtol=0)
    assert_close(shares.sum(0), torch.ones(2).double())
