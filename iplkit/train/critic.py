"""How the critic was trained: every kind of picture of the pool, shifted and tinted."""

from torch import Generator, Tensor

from iplkit.nets.critic import Critic, save_critic
from iplkit.train import augment
from iplkit.train.classifier import begin_with, check
from iplkit.train.common import Phase, Recipe
from iplkit.train.pool import PoolSettings


def disturb(images: Tensor, generator: Generator) -> Tensor:
    """Shift by up to 3 %, tint, noise; the judge sees other disturbances."""
    images = augment.move(images, generator, shift=0.03)
    images = augment.tint(images, generator)
    return augment.grain(images, generator, 0.08)


PHASES = (Phase("classify", steps=4500, lr=2e-3, seed=11, batch=64),)
RECIPE = Recipe("critic", PHASES, lambda: Critic(seed=11), {"pool": PoolSettings()}, begin_with(disturb), check, save_critic)
