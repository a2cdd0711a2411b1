"""The world's encoder: a portrait, and what is drawn so far, to a step in W+.

As e4e (Tov et al. 2021, "Designing an Encoder for StyleGAN Image Manipulation", Sec. 4) it says one w and small offsets of the
rows from it; as ReStyle (Alaluf et al. 2021, Sec. 3) it sees the running render beside the picture and is asked again.

Axis letters: N images, R rows of W+ (num_ws), D width of w, K basis vectors.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.nets.readout import fit_size, load_net, save_net

KIND = "encoder"


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder."""

    size: int = 64  # pixels; pictures of another size are resized to it
    num_ws: int = 10
    w_dim: int = 512
    width: int = 24  # channels of the first stage
    hidden: int = 256
    basis: int = 96  # directions of W in which it answers; a portrait does not show the others

    def __post_init__(self):
        if self.size % 16 or self.size < 16:
            raise UserError(f"size needs to be a multiple of 16; got {self.size}")
        if self.width % 8 or self.num_ws < 2 or not 1 <= self.basis <= self.w_dim:
            raise UserError(f"an encoder needs width in eights, two rows and a basis in W; got {self.width}, {self.num_ws}, {self.basis}")


def _unit(inside: int, outside: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, stride, 1, bias=False), nn.GroupNorm(8, outside), nn.SiLU())


class Stage(nn.Module):
    """Halve the map, then some residual units."""

    def __init__(self, inside: int, outside: int, kernel: int = 3, units: int = 1):
        super().__init__()
        self.down = _unit(inside, outside, kernel, 2)
        self.units = nn.ModuleList(_unit(outside, outside) for _ in range(units))

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps, ``[N, I, H, W]`` -> ``[N, O, H / 2, W / 2]``."""
        x = self.down(x)
        for unit in self.units:
            x = x + unit(x)
        return x


class Encoder(nn.Module):
    """Six channels in, one step of w and of the row offsets out.

    Args:
        config: sizes.
        seed: of the initialization; the global random state is left as it was.
    """

    def __init__(self, config: EncoderConfig = EncoderConfig(), seed: int = 0):
        super().__init__()
        self.config = config
        w, side = config.width, config.size // 16
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.trunk = nn.Sequential(Stage(6, w, 4, 2), Stage(w, 2 * w, units=2), Stage(2 * w, 4 * w), Stage(4 * w, 4 * w))
            self.squeeze = nn.Sequential(nn.Conv2d(4 * w, w, 1), nn.SiLU(), nn.Flatten())
            self.hidden = nn.Sequential(nn.Linear(w * side * side, config.hidden), nn.LayerNorm(config.hidden), nn.SiLU())
            self.answer = nn.Linear(config.hidden, config.num_ws * config.basis)
            self.basis = nn.Parameter(torch.randn(config.basis, config.w_dim) / config.basis**0.5)  # [K, D]
        nn.init.zeros_(self.answer.weight), nn.init.zeros_(self.answer.bias)

    @torch.no_grad()
    def fit_basis(self, mapping: nn.Module, samples: int = 8192, seed: int = 0) -> None:
        """Begin with the principal directions of W, each as long as W is wide along it, so that answers are about 1."""
        z = torch.randn(samples, mapping.z_dim, generator=torch.Generator().manual_seed(seed))
        w = mapping.w(z.to(mapping.w_avg.device)).double()
        values, vectors = torch.linalg.eigh(torch.cov(w.T))
        kept = slice(-self.config.basis, None)
        self.basis.copy_((vectors[:, kept] * values[kept].clamp_min(0).sqrt()).flip(1).T)

    def forward(self, images: Tensor, renders: Tensor) -> tuple[Tensor, Tensor]:
        """One step, to be added to the code that drew the renders.

        Args:
            images: the portraits, ``[N, 3, H, W]`` in [-1, 1].
            renders: what their codes draw so far, same form.

        Returns:
            The step of w for all rows ``[N, D]``, and of each row's offset from it ``[N, R, D]``; row 0 has none.
        """
        size = self.config.size
        x = torch.cat([fit_size(images, size), fit_size(renders, size).clamp(-1, 1)], dim=1)
        spoken = self.answer(self.hidden(self.squeeze(self.trunk(x)))).float().view(len(x), self.config.num_ws, -1)  # [N, R, K]
        step = spoken @ self.basis.float()  # [N, R, D]
        return step[:, 0], torch.cat([torch.zeros_like(step[:, :1]), step[:, 1:]], dim=1)


def save_encoder(path: str | Path, net: Encoder, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write an encoder; see `iplkit.weights.write_weights`."""
    save_net(path, net, KIND, metadata, dtype)


def load_encoder(path: str | Path, sha256: str | None = None) -> Encoder:
    """Read a frozen encoder; refuses any other file with a `UserError`."""
    return load_net(path, KIND, EncoderConfig, Encoder, sha256)
