import pytest
import torch
import torch.nn.functional as F
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.cmmd import cmmd


def test_agrees_with_its_definition_on_the_kernel_itself():
    x, y = normal(0, 20, 16) + 1, normal(1, 15, 16)
    a, b = (z / z.norm(dim=1, keepdim=True) for z in (x, y))
    k = [torch.exp(-torch.cdist(p, q).square() / 200).mean().item() for p, q in ((a, a), (b, b), (a, b))]
    assert cmmd(x, y).value == pytest.approx(1000 * (k[0] + k[1] - 2 * k[2]), rel=1e-7)


def test_sees_the_mean_and_not_the_diversity():
    many = normal(0, 400, 32) + 3
    one = F.normalize(many, dim=1).mean(0, keepdim=True).repeat(400, 1)  # all images alike, in the same place
    moved = many * torch.ones(32).index_fill(0, torch.tensor([5]), -1)  # as diverse as before
    assert cmmd(many, one).value < 0.1 * cmmd(many, moved).value


def test_sides_order_and_rotations_change_nothing():
    x, y = normal(0, 20, 16) + 1, normal(1, 15, 16)
    turn = torch.linalg.qr(normal(9, 16, 16)).Q
    for a, b in ((y, x), (x.flip(0), y), (x @ turn, y @ turn)):
        assert cmmd(a, b).value == pytest.approx(cmmd(x, y).value, rel=1e-9)
    assert cmmd(x, x).value == pytest.approx(0, abs=1e-10)


def test_one_image_is_no_set():
    with pytest.raises(UserError, match="at least 2 images in each set; got 1 real and 5 fake"):
        cmmd(normal(0, 1, 4), normal(1, 5, 4))
