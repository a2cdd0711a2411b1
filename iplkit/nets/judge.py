"""The judge: a small Inception-like network. Every printed number rests on it, and no loss ever does.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision": branches with different views, joined.
It shares neither blocks, seed nor augmentation with the critic. Axis letters: N images, C channels, H W space.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.nets.readout import ClassifierConfig, Heads, Readout, fit_size, load_net, save_net

KIND = "judge"
LAYERS = ("stem", "mix1", "mix2", "mix3", "mix4")


class Unit(nn.Sequential):
    """Convolution, normalization, SiLU."""

    def __init__(self, inside: int, outside: int, kernel=1, stride: int = 1):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = tuple(k // 2 for k in kernel)
        conv = nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outside), nn.SiLU())


class Mix(nn.Module):
    """Four views of one map side by side: a point, 3 x 3, a long cross of 1 x 7 and 7 x 1, and a mean."""

    def __init__(self, inside: int, outside: int):
        super().__init__()
        q = outside // 4
        self.point = Unit(inside, q)
        self.near = nn.Sequential(Unit(inside, q), Unit(q, q, 3))
        self.far = nn.Sequential(Unit(inside, q), Unit(q, q, (1, 7)), Unit(q, q, (7, 1)))
        self.mean = Unit(inside, outside - 3 * q)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.mean(F.avg_pool2d(x, 3, 1, 1))
        return torch.cat([self.point(x), self.near(x), self.far(x), mean], dim=1)


class Shrink(nn.Module):
    """Halve a map in two ways at once: a strided convolution and a maximum."""

    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.conv = Unit(inside, outside - inside, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv(x), F.max_pool2d(x, 2)], dim=1)


class Judge(nn.Module):
    """Inception-like classifier of domain, factors and kind.

    Args:
        config: sizes.
        seed: of the initialization; the global random state is left as it was.
    """

    def __init__(self, config: ClassifierConfig = ClassifierConfig(), seed: int = 1):
        super().__init__()
        self.config = config
        w = config.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.stem = nn.Sequential(Unit(3, w, 3, 2), Unit(w, 3 * w // 2, 3))
            self.mix1 = nn.Sequential(Shrink(3 * w // 2, 3 * w), Mix(3 * w, 3 * w), Unit(3 * w, 3 * w, 3))
            self.mix2 = nn.Sequential(Shrink(3 * w, 6 * w), Mix(6 * w, 6 * w), Mix(6 * w, 6 * w))
            self.mix3 = nn.Sequential(Shrink(6 * w, 8 * w), Mix(8 * w, 8 * w))
            self.mix4 = Mix(8 * w, 8 * w)
            self.heads = Heads(config, 8 * w, config.size // 16)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Named maps of pictures in [-1, 1], ``[N, 3, H, W]`` -> ``{layer: [N, C, h, w]}``, from fine to coarse."""
        x, out = fit_size(images, self.config.size), {}
        for name in LAYERS:
            x = getattr(self, name)(x)
            out[name] = x
        return out

    def forward(self, images: Tensor) -> Readout:
        """All that the judge says of pictures in [-1, 1], ``[N, 3, H, W]``."""
        features = self.features(images)
        return self.heads(features[LAYERS[-1]], features)


def save_judge(path: str | Path, judge: Judge, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write a judge; see `iplkit.weights.write_weights`."""
    save_net(path, judge, KIND, metadata, dtype)


def load_judge(path: str | Path, sha256: str | None = None) -> Judge:
    """Read a frozen judge; refuses any other file with a `UserError`."""
    return load_net(path, KIND, ClassifierConfig, Judge, sha256)
