"""The critic: a small residual network that says what a portrait shows. It may serve any loss.

He et al. 2016, "Deep Residual Learning for Image Recognition". Axis letters: N images, C channels, H W space.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.nets.readout import ClassifierConfig, Heads, Readout, fit_size, load_net, save_net

KIND = "critic"
LAYERS = ("stem", "stage1", "stage2", "stage3", "stage4")


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; `stride` 2 halves the map."""

    def __init__(self, inside: int, outside: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.shortcut = nn.Conv2d(inside, outside, 1, bias=False) if (stride, inside) != (1, outside) else nn.Identity()
        self.stride = stride
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        short = F.avg_pool2d(x, 2) if self.stride == 2 else x
        return F.relu(y + self.shortcut(short))


class Critic(nn.Module):
    """Residual classifier of domain, factors and kind.

    Args:
        config: sizes.
        seed: of the initialization; the global random state is left as it was.
    """

    def __init__(self, config: ClassifierConfig = ClassifierConfig(), seed: int = 0):
        super().__init__()
        self.config = config
        w = config.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.stem = nn.Sequential(nn.Conv2d(3, w, 4, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU())
            self.stage1 = Residual(w, w, 1)
            self.stage2 = Residual(w, 2 * w, 2)
            self.stage3 = Residual(2 * w, 4 * w, 2)
            self.stage4 = Residual(4 * w, 6 * w, 2)
            self.heads = Heads(config, 6 * w, config.size // 16)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Named maps of pictures in [-1, 1], ``[N, 3, H, W]`` -> ``{layer: [N, C, h, w]}``, from fine to coarse."""
        x, out = fit_size(images, self.config.size), {}
        for name in LAYERS:
            x = getattr(self, name)(x)
            out[name] = x
        return out

    def forward(self, images: Tensor) -> Readout:
        """All that the critic says of pictures in [-1, 1], ``[N, 3, H, W]``."""
        features = self.features(images)
        return self.heads(features[LAYERS[-1]], features)


def save_critic(path: str | Path, critic: Critic, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write a critic; see `iplkit.weights.write_weights`."""
    save_net(path, critic, KIND, metadata, dtype)


def load_critic(path: str | Path, sha256: str | None = None) -> Critic:
    """Read a frozen critic; refuses any other file with a `UserError`."""
    return load_net(path, KIND, ClassifierConfig, Critic, sha256)
