import pytest
import torch
from torch.testing import assert_close

from iplkit.invert.walkers import Adam, Lbfgs


def bowl(x):
    """Three long valleys, one a picture; the lowest point is at 1."""
    slopes = torch.logspace(0, 3, x.shape[1])
    return 0.5 * (slopes * (x - 1).square()).sum(1), slopes * (x - 1)


def walk(walker, steps, rate=0.1):
    for _ in range(steps):
        walker.step(*bowl(walker.point), rate)
    return walker


def test_adam_is_torchs_adam():
    x = torch.zeros(3, 5)
    theirs = torch.nn.Parameter(x.clone())
    optimizer = torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99))
    ours = Adam(x, (0.9, 0.99))
    for _ in range(20):
        theirs.grad = bowl(theirs.detach())[1]
        optimizer.step()
        ours.step(*bowl(ours.point), 0.1)
    assert_close(ours.best, theirs.detach())


def test_lbfgs_comes_down_a_narrow_valley_where_adam_still_walks():
    start = torch.zeros(3, 12)
    fast, slow = walk(Lbfgs(start), 60), walk(Adam(start, (0.9, 0.999)), 60)
    assert float(bowl(fast.best)[0].max()) < 1e-6 < float(bowl(slow.best)[0].min())


def test_lbfgs_never_keeps_a_worse_point():
    walker, least = Lbfgs(torch.zeros(2, 6), first=50.0), torch.full((2,), torch.inf)
    for _ in range(15):
        walker.step(*bowl(walker.point))
        here = bowl(walker.best)[0]
        assert bool((here <= least).all())
        least = here


@pytest.mark.parametrize("make", [lambda x: Adam(x, (0.9, 0.999)), Lbfgs])
def test_a_picture_walks_alike_in_any_company(make):
    starts = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    assert_close(walk(make(starts), 20).best[1:2], walk(make(starts[1:2]), 20).best, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [lambda x: Adam(x, (0.9, 0.999)), lambda x: Lbfgs(x, memory=4)])
def test_a_walker_goes_on_from_its_state_with_the_same_bytes(make):
    whole = walk(make(torch.zeros(2, 6)), 12)
    half = walk(make(torch.zeros(2, 6)), 7)
    other = make(torch.ones(2, 6))
    other.restore({name: t.clone() for name, t in half.state().items()})
    assert torch.equal(walk(other, 5).best, whole.best)
