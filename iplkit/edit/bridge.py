"""The bridge: from a feature of CLIP, of a picture or of a text, back to a code of a generator.

One model holds the tiers that were learned: a ridge, a residual network on top of it, and a prior to draw from. All work
in whitened coordinates of W. Only numbers go in and out here; generator and CLIP are needed to train and to judge.

Axis letters: N features, C codes a feature, D width of w, E width of CLIP's features, K whitened coordinates.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.edit.bridge_prior import Block, Denoiser, sample
from iplkit.edit.bridge_whiten import Centre, Whitening
from iplkit.errors import UserError
from iplkit.nets.readout import load_net, save_net

KIND = "bridge"
TIERS = ("ridge", "network", "prior")


@dataclass(frozen=True)
class BridgeConfig:
    """Sizes of a bridge."""

    embed_dim: int = 256  # 256 in the world; 512 for ViT-B/32, 1024 for RN50
    w_dim: int = 512
    kept: int = 128  # whitened coordinates
    width: int = 160  # of the network and of the prior
    blocks: int = 2  # of the network
    prior_blocks: int = 3

    def __post_init__(self):
        if min(self.embed_dim, self.kept, self.width, self.blocks, self.prior_blocks) < 1 or self.kept > self.w_dim:
            raise UserError(f"a bridge needs positive sizes and kept at most w_dim; got {self}")


class Residual(nn.Module):
    """What the ridge cannot say: centred features in, a correction of the whitened code out; none before training."""

    def __init__(self, config: BridgeConfig):
        super().__init__()
        self.enter, self.leave = nn.Linear(config.embed_dim, config.width), nn.Linear(config.width, config.kept)
        self.blocks = nn.Sequential(*(Block(config.width) for _ in range(config.blocks)), nn.LayerNorm(config.width))
        nn.init.zeros_(self.leave.weight), nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, E]`` -> ``[N, K]``."""
        return self.leave(F.gelu(self.blocks(self.enter(x))))


class Bridge(nn.Module):
    """All learned tiers of one generator and one CLIP.

    Args:
        config: sizes.
        seed: of the initialization; the global random state is left as it was.
    """

    def __init__(self, config: BridgeConfig = BridgeConfig(), seed: int = 0):
        super().__init__()
        self.config = config
        self.white, self.centre = Whitening(config.w_dim, config.kept), Centre(config.embed_dim)
        self.register_buffer("line", torch.zeros(config.embed_dim, config.kept))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.residual = Residual(config)
            self.prior = Denoiser(config.kept, config.embed_dim, config.width, config.prior_blocks)

    def ridge(self, e: Tensor) -> Tensor:
        """Whitened code by the straight line, ``[N, E]`` unit features -> ``[N, K]``."""
        return self.centre(e) @ self.line

    def network(self, e: Tensor) -> Tensor:
        """Whitened code by line and network, ``[N, E]`` -> ``[N, K]``."""
        x = self.centre(e)
        return x @ self.line + self.residual(x).float()

    @torch.no_grad()
    def w(self, e: Tensor, tier: str = "network") -> Tensor:
        """One code a feature, the same every time.

        Args:
            e: unit features, ``[N, E]``.
            tier: "ridge" or "network".

        Returns:
            ``[N, D]``.

        Raises:
            UserError: for another tier, or features of another width.
        """
        if tier not in TIERS[:2]:
            raise UserError(f"a bridge answers once by ridge or network, and draws by prior; got {tier!r}")
        return self.white.back(getattr(self, tier)(e))

    @torch.no_grad()
    def draw(self, e: Tensor, count: int, rng: torch.Generator, amount: float = 0.0, guidance: float = 1.0, steps: int = 24) -> Tensor:
        """Several codes a feature, by the prior.

        Args:
            e: unit features, ``[N, E]``.
            count: C.
            rng: of the draws.
            amount, guidance, steps: see `iplkit.edit.bridge_prior.sample`.

        Returns:
            ``[N, C, D]``.
        """
        x = self.centre(e).repeat_interleave(count, 0)
        return self.white.back(sample(self.prior, x, amount, rng, steps, guidance)).view(len(e), count, -1)

    def unusual(self, w: Tensor) -> Tensor:
        """How far codes lie from the middle of W, as a share of a sample's distance, ``[..., D]`` -> ``[...]``; samples have about 1."""
        return self.white(w).square().mean(-1).sqrt()


def save_bridge(path: str | Path, net: Bridge, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write a bridge; see `iplkit.weights.write_weights`."""
    save_net(path, net, KIND, metadata, dtype)


def load_bridge(path: str | Path, sha256: str | None = None) -> Bridge:
    """Read a frozen bridge; refuses any other file with a `UserError`."""
    return load_net(path, KIND, BridgeConfig, Bridge, sha256)
