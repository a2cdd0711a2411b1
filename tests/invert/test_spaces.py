import pytest
import torch
from small_inversion import a_generator
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.invert.spaces import SPACES, begin, styles_of, ws_of


@pytest.fixture(scope="module")
def g():
    return a_generator()


@pytest.mark.parametrize("space", ["w", "w+", "s"])
def test_from_the_mean_every_space_draws_the_middle_of_w(g, space):
    styles = styles_of(begin(space, "mean", g, 2), g)
    middle = g.synthesis.styles(g.mapping.w_avg.expand(2, g.num_ws, -1))
    for name, wanted in middle.items():
        assert_close(styles[name], wanted)


def test_in_z_the_start_is_the_drawn_code_nearest_to_the_middle(g):
    z = begin("z", "mean", g, 2)["z"]
    near = (g.mapping.w(z) - g.mapping.w_avg).norm(dim=1)
    others = (g.mapping.w(torch.randn(50, 32, generator=torch.Generator().manual_seed(0))) - g.mapping.w_avg).norm(dim=1)
    assert_close(z[0], z[1]) and bool((near[0] < others).all())


def test_a_uniform_start_fills_its_range_and_differs_by_row(g):
    ws = begin("w+", "uniform", g, 2, seed=1)["ws"]
    assert ws.shape == (2, 6, 512) and -1 <= float(ws.min()) < -0.99 < 0.99 < float(ws.max()) <= 1
    assert not torch.equal(ws[:, 0], ws[:, 1]) and not torch.equal(ws[0], ws[1])


@pytest.mark.parametrize("space", SPACES)
def test_a_picture_starts_alike_in_any_company(g, space):
    whole = begin(space, "uniform", g, 3, seed=2)
    alone = begin(space, "uniform", g, 1, seed=2, first=2)
    for name in whole:
        assert_close(whole[name][2:], alone[name], rtol=0, atol=1e-6)


def test_given_rows_are_kept_in_w_plus_and_averaged_in_w(g):
    ws = torch.randn(2, 6, 512, generator=torch.Generator().manual_seed(0))
    assert torch.equal(begin("w+", ws, g, 2)["ws"], ws)
    assert_close(begin("w", ws, g, 2)["w"], ws.mean(1))
    assert ws_of(begin("s", ws, g, 2), g) is None


@pytest.mark.parametrize(
    ("space", "start", "sentence"),
    [("v", "mean", "a space is one of z, w"), ("w", "middle", "a start is one of mean, zeros, uniform"), ("z", "zeros", "mean or uniform")],
)
def test_an_unknown_place_is_refused(g, space, start, sentence):
    with pytest.raises(UserError, match=sentence):
        begin(space, start, g, 1)


def test_rows_of_another_generator_are_refused(g):
    with pytest.raises(UserError, match=r"shape \[1, 6, 512\]"):
        begin("w+", torch.zeros(1, 18, 512), g, 1)
    with pytest.raises(UserError, match="codes"):
        begin("z", torch.zeros(1, 6, 512), g, 1)
