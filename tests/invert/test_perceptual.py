import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.invert.perceptual import Perceptual, critic_perceptual
from iplkit.nets import ClassifierConfig, Critic, Judge


def pictures(n=2, size=32, seed=0):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_critics_first_layers_are_its_own():
    critic = Critic(ClassifierConfig(size=32, width=4)).eval()
    with torch.no_grad():
        mine, theirs = critic_perceptual(critic, 3).features(pictures()), list(critic.features(pictures()).values())
    assert len(mine) == 3 and all(torch.equal(a, b) for a, b in zip(mine, theirs))


def test_the_judge_serves_no_loss():
    with pytest.raises(UserError, match="needs a critic .* got a Judge"):
        critic_perceptual(Judge(ClassifierConfig(size=32, width=8)))


def test_a_relative_distance_does_not_see_how_large_a_layer_is():
    small, large = (Perceptual(lambda x, k=k: [k * x], True, "") for k in (1.0, 10.0))
    assert_close(small(pictures(seed=1), pictures()), large(pictures(seed=1), pictures()))
    plain = Perceptual(lambda x: [x, 2 * x], False, "")
    square = (pictures(seed=1) - pictures()).square().mean((1, 2, 3))
    assert_close(plain(pictures(seed=1), pictures()), 5 * square)


def test_a_picture_is_at_distance_0_from_itself_alone():
    perceptual = critic_perceptual(Critic(ClassifierConfig(size=32, width=4)))
    found = perceptual(torch.cat([pictures(1), pictures(1, seed=2)]), pictures(1).expand(2, -1, -1, -1))
    assert float(found[0]) == 0 < float(found[1])
