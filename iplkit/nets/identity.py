"""The identity network: portraits of one person lie near each other on a sphere, others far.

Trained with InfoNCE (van den Oord et al. 2018, Sec. 2.3) on pairs of one person under two circumstances.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.nets.readout import fit_size, load_net, save_net

KIND = "identity"


@dataclass(frozen=True)
class IdentityConfig:
    """Sizes of the identity network."""

    size: int = 64  # pixels; pictures of another size are resized to it
    width: int = 32  # channels of the first layers
    embed_dim: int = 128
    num_factors: int = 10  # identity factors that the training asks for beside

    def __post_init__(self):
        if self.size % 16 or self.size < 32:
            raise UserError(f"size needs to be a multiple of 16 from 32 up; got {self.size}")


def _step(inside: int, outside: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.PReLU(outside))


class Identity(nn.Module):
    """A plain convolutional network onto the unit sphere.

    Args:
        config: sizes.
        seed: of the initialization; the global random state is left as it was.
    """

    def __init__(self, config: IdentityConfig = IdentityConfig(), seed: int = 2):
        super().__init__()
        self.config = config
        w, side = config.width, config.size // 16
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.ModuleDict(
                {
                    "stage1": nn.Sequential(_step(3, w, 2), _step(w, w, 1)),
                    "stage2": nn.Sequential(_step(w, 2 * w, 2), _step(2 * w, 2 * w, 1)),
                    "stage3": nn.Sequential(_step(2 * w, 4 * w, 2), _step(4 * w, 4 * w, 1)),
                    "stage4": nn.Sequential(_step(4 * w, 4 * w, 2), nn.Conv2d(4 * w, w, 1)),
                }
            )
            self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(w * side * side, 256), nn.BatchNorm1d(256), nn.SiLU())
            self.embed = nn.Linear(256, config.embed_dim)
            self.factors = nn.Linear(256, config.num_factors)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Named maps of pictures in [-1, 1], ``[N, 3, H, W]`` -> ``{layer: [N, C, h, w]}``."""
        x, out = fit_size(images, self.config.size), {}
        for name, stage in self.body.items():
            x = stage(x)
            out[name] = x
        return out

    def answers(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Unit embeddings ``[N, E]`` and the identity factors ``[N, num_factors]`` in (0, 1)."""
        hidden = self.hidden(self.features(images)["stage4"])
        return F.normalize(self.embed(hidden).float(), dim=-1), self.factors(hidden).float().sigmoid()

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings on the unit sphere, ``[N, 3, H, W]`` in [-1, 1] -> ``[N, E]``."""
        return self.answers(images)[0]


def save_identity(path: str | Path, net: Identity, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write an identity network; see `iplkit.weights.write_weights`."""
    save_net(path, net, KIND, metadata, dtype)


def load_identity(path: str | Path, sha256: str | None = None) -> Identity:
    """Read a frozen identity network; refuses any other file with a `UserError`."""
    return load_net(path, KIND, IdentityConfig, Identity, sha256)
