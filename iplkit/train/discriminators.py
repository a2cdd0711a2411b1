"""What the generator is trained against: heads on the critic's frozen features, and one look at patches of pixels.

Sauer et al. 2021, "Projected GANs Converge Faster": features that already know portraits leave little to learn, so a
few hundred thousand pictures are enough. The patches show what the features do not. Slopes are bounded by spectral norms
(Miyato et al. 2018), so there is no R1 term; losses are hinges.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from iplkit.stylegan2.generator import GeneratorConfig


class Head(nn.Module):
    """Logits over a feature map, ``[N, C, H, W]`` -> ``[N, 1, h, w]``."""

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(channels, width, 3, 1, 1))
        self.second = spectral_norm(nn.Conv2d(width, width, 3, 2, 1))
        self.last = spectral_norm(nn.Conv2d(width, 1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(x), 0.2)
        return self.last(F.leaky_relu(self.second(x), 0.2))


class Patches(nn.Sequential):
    """Logits over patches of about 20 pixels, ``[N, 3, H, W]`` -> ``[N, 1, H / 8, W / 8]``."""

    def __init__(self, width: int = 32):
        layers, inside = [], 3
        for outside in (width, 2 * width, 3 * width):
            layers += [spectral_norm(nn.Conv2d(inside, outside, 4, 2, 1)), nn.LeakyReLU(0.2)]
            inside = outside
        super().__init__(*layers, spectral_norm(nn.Conv2d(inside, 1, 3, 1, 1)))


class Ensemble(nn.Module):
    """All discriminators of the adversarial phase as one.

    Args:
        config: of the generator.
        features: images -> list of frozen feature maps, or None for the patches alone.
        seed: of the initial weights.
    """

    def __init__(self, config: GeneratorConfig, features=None, seed: int = 0):
        super().__init__()
        self.features = features
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            maps = [] if features is None else features(torch.zeros(1, 3, config.size, config.size))
            self.heads = nn.ModuleList(Head(m.shape[1]) for m in maps)
            self.patches = Patches()
        self.scales = [1.0] * len(maps)

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Remember the size of each feature map, so that every head sees about unit inputs."""
        self.scales = [m.float().square().mean().sqrt().item() for m in self.features(images)] if self.features else []

    def _logits(self, images: Tensor) -> list[Tensor]:
        maps = self.features(images) if self.features else []
        seen = [head(m / s) for head, m, s in zip(self.heads, maps, self.scales)]
        return [logits.float() for logits in (*seen, self.patches(images))]

    def generator_loss(self, fake: Tensor) -> Tensor:
        """How unreal the pictures look, mean over the discriminators; 0 when they cannot tell."""
        with torch.autocast("cpu", torch.bfloat16):
            return -sum(logits.mean() for logits in self._logits(fake)) / (len(self.heads) + 1)

    def loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """What the discriminators minimize: hinges, 2 when they cannot tell and 0 when they are sure."""
        with torch.autocast("cpu", torch.bfloat16):
            pairs = zip(self._logits(fake), self._logits(real))
            return sum(F.relu(1 + f).mean() + F.relu(1 - r).mean() for f, r in pairs) / (len(self.heads) + 1)
