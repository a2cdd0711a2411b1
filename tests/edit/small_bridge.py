"""A small bridge: a generator of 16 px, and a CLIP that is one fixed linear map of a blurred picture."""

import torch
import torch.nn.functional as F
from small_models import small_generator
from torch import Tensor, nn

from iplkit.edit.bridge import BridgeConfig
from iplkit.edit.bridge_pairs import make_pairs
from iplkit.invert.perceptual import critic_perceptual
from iplkit.nets.critic import Critic
from iplkit.nets.readout import ClassifierConfig
from iplkit.train.bridge import Parts


class LinearClip(nn.Module):
    """Looks at 4 by 4 blocks; `embed_dim` numbers come out."""

    def __init__(self, embed_dim: int = 24):
        super().__init__()
        rng = torch.Generator().manual_seed(6)
        self.matrix = nn.Parameter(torch.randn(48, embed_dim, generator=rng), requires_grad=False)
        self.embed_dim = embed_dim

    def encode_image(self, images: Tensor) -> Tensor:
        """``[N, 3, S, S]`` -> ``[N, E]``."""
        return F.adaptive_avg_pool2d(images, 4).flatten(1) @ self.matrix + 0.3


def small_parts(embed_dim: int = 24, n: int = 1100) -> Parts:
    """Frozen models, n pairs to learn from and 64 that are held out."""
    generator, clip = small_generator(), LinearClip(embed_dim)
    pairs = make_pairs(generator, clip, n + 64, 3)
    return Parts(generator, clip, critic_perceptual(Critic(ClassifierConfig(width=4))), pairs[:n], pairs[n:])


def small_config(embed_dim: int = 24) -> BridgeConfig:
    """Few coordinates."""
    return BridgeConfig(embed_dim, 512, kept=12, width=24, blocks=1, prior_blocks=1)
