"""The perceptual term: how far two pictures are apart in the layers of a network that may serve losses.

Abdal et al. 2019, "Image2StyleGAN", Eq. (2): the mean square difference of some layers, each divided by its number of elements,
summed. In the world the layers are the critic's, each also divided by its own mean square on the target, because its
layers differ in size as VGG's do not. The judge is never asked: it is kept for judging.

Axis letters: N images, C channels, h w space.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.nets.critic import LAYERS, Critic
from iplkit.nets.readout import fit_size

Target = list[tuple[Tensor, Tensor | float]]  # for each layer the features [N, C, h, w] and what squares are divided by


class Perceptual(nn.Module):
    """Distance in the layers of a frozen network.

    Args:
        features: images ``[N, 3, H, W]`` in [-1, 1] -> one map a layer.
        relative: divide each layer by its mean square on the target, picture by picture.
        name: of the network and its layers, for records.
    """

    def __init__(self, features: Callable[[Tensor], Sequence[Tensor]], relative: bool, name: str):
        super().__init__()
        self.features, self.relative, self.name = features, relative, name

    @torch.no_grad()
    def target(self, images: Tensor) -> Target:
        """What the pictures to be found look like, computed once."""
        maps = [f.float() for f in self.features(images)]
        return [(f, f.square().mean(dim=(1, 2, 3)).clamp_min(1e-8) if self.relative else 1.0) for f in maps]

    def distance(self, images: Tensor, target: Target) -> Tensor:
        """How far each picture is from its target, ``[N]``."""
        parts = zip(self.features(images), target, strict=True)
        return sum((f.float() - t).square().mean(dim=(1, 2, 3)) / scale for f, (t, scale) in parts)

    def forward(self, images: Tensor, other: Tensor) -> Tensor:
        """How far each picture of two sets is from the other's, ``[N]``."""
        return self.distance(images, self.target(other))


def rows_of(target: Target, rows: slice | Tensor) -> Target:
    """The target of some of the pictures."""
    return [(f[rows], scale[rows] if isinstance(scale, Tensor) else scale) for f, scale in target]


def critic_perceptual(critic: Critic, depth: int = 4) -> Perceptual:
    """The perceptual term of the world: the first layers of a critic; those behind them are not computed.

    Raises:
        UserError: for any other network, and so for a judge.
    """
    if not isinstance(critic, Critic) or not 1 <= depth <= len(LAYERS):
        raise UserError(f"the perceptual term needs a critic and 1 to {len(LAYERS)} of its layers; got a {type(critic).__name__} and {depth}")
    critic = critic.eval().requires_grad_(False)

    def features(images: Tensor) -> list[Tensor]:
        found = [fit_size(images, critic.config.size)]
        for name in LAYERS[:depth]:
            found.append(getattr(critic, name)(found[-1]))
        return found[1:]

    return Perceptual(features, True, f"critic: {', '.join(LAYERS[:depth])}")
