import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.vendi import vendi


def test_counts_different_images_and_not_copies():
    assert vendi(torch.eye(6)).value == pytest.approx(6)
    assert vendi(torch.eye(6).repeat(5, 1)).value == pytest.approx(6)
    assert vendi(torch.ones(9, 4)).value == pytest.approx(1)


def test_more_features_than_images_and_the_reverse_give_the_same_entropy():
    x = normal(0, 12, 30)
    unit = x / x.norm(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh(unit.T @ unit / 12)
    values = values[values > 1e-12]
    assert vendi(x).value == pytest.approx((-(values * values.log()).sum()).exp().item(), rel=1e-9)


def test_order_scale_and_rotation_change_nothing():
    x = normal(0, 20, 8) + 1
    turn = torch.linalg.qr(normal(9, 8, 8)).Q
    for y in (x.flip(0), x * 3, x @ turn):
        assert vendi(y).value == pytest.approx(vendi(x).value, rel=1e-9)


def test_sets_without_diversity_to_measure_are_refused():
    with pytest.raises(UserError, match="at least 2 images; got 1"):
        vendi(normal(0, 1, 4))
    with pytest.raises(UserError, match="all zeros"):
        vendi(torch.zeros(3, 4))
    with pytest.raises(UserError, match="1 of 2"):
        vendi(torch.tensor([[1.0, float("nan")], [1.0, 0.0]]))
