"""How the judge was trained: the same pool as the critic's, in another order, softened and partly covered."""

from torch import Generator, Tensor

from iplkit.nets.judge import Judge, save_judge
from iplkit.train import augment
from iplkit.train.classifier import begin_with, check
from iplkit.train.common import Phase, Recipe
from iplkit.train.pool import PoolSettings


def disturb(images: Tensor, generator: Generator) -> Tensor:
    """Soften some pictures, cover a square of some, a little noise; nothing is shifted."""
    images = augment.soften(images, generator, 0.3)
    images = augment.cover(images, generator, 0.25, 0.2)
    return augment.grain(images, generator, 0.05)


PHASES = (
    Phase("classify", steps=3200, lr=1.5e-3, seed=12, batch=64, weight_decay=0.03),
    Phase("longer", steps=4500, lr=1.5e-3, seed=24, batch=64, weight_decay=0.03),  # mouths and ages come late
)
RECIPE = Recipe("judge", PHASES, lambda: Judge(seed=12), {"pool": PoolSettings()}, begin_with(disturb), check, save_judge)
