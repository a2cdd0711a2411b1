"""A diffusion prior: draws codes that belong to a feature, and not only their mean.

Many faces share one feature; their mean is nobody. So the network learns to clean noised codes, given the feature, and a
code is drawn by cleaning pure noise step by step. Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with
CLIP Latents", Sec. 2.2; Pinkney and Li 2022, "clip2latent", for W. Two things are taken from clip2latent: the condition is
dropped at times, so that guidance works (Ho and Salimans 2022), and noise is laid on the feature, so that a text's feature,
which lies beside all pictures', is not out of reach. Ours differ: the network is told how much noise was laid on, so one
prior serves pictures (none) and texts (much), and it is a small residual network of whitened coordinates.

Axis letters: N codes, K whitened coordinates, E width of CLIP's features, H width of the network.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.errors import UserError

WAVES = 16  # frequencies that tell the network a number in [0, 1]
LAST = 0.999  # of the time; at 1 nothing of the code is left
MOST = 1.2  # noise on a feature that training reaches
CLEAN, DROPPED = 0.3, 0.1  # shares of a batch: feature as it is; no feature at all


def kept(time: Tensor) -> Tensor:
    """How much of the code's variance is left at a time in [0, 1]. Nichol and Dhariwal 2021, Eq. (17)."""
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    return (torch.cos((time + 0.008) / 1.008 * math.pi / 2).square() / start).clamp(1e-6, 1.0)


def blurred(e: Tensor, noise: Tensor, amount: Tensor | float) -> Tensor:
    """A unit feature with noise of relative length `amount` laid on, unit again: ``[..., E]``.

    At 1 the cosine to the clean feature is about 0.71, wherever the noise points.
    """
    return F.normalize(e + amount * F.normalize(noise, dim=-1), dim=-1)


def waves(number: Tensor) -> Tensor:
    """Sines and cosines of a number in about [0, 1], ``[N]`` -> ``[N, 2 WAVES]``."""
    angles = number[:, None] * torch.exp(torch.linspace(0, math.log(100.0), WAVES, device=number.device))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Block(nn.Module):
    """One residual step that also hears the condition."""

    def __init__(self, width: int, condition: int | None = None):
        super().__init__()
        self.norm, self.inside, self.out = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        self.hears = None if condition is None else nn.Linear(condition, width, bias=False)
        nn.init.zeros_(self.out.weight), nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """``[N, H]`` -> ``[N, H]``; nothing changes before training."""
        hidden = self.inside(self.norm(x))
        if self.hears is not None:
            hidden = hidden + self.hears(condition)
        return x + self.out(F.gelu(hidden))


class Denoiser(nn.Module):
    """Noised whitened code, time, feature and its blur in; the clean code out.

    Args:
        kept: K.
        embed_dim: E.
        width: H.
        blocks: residual steps.
    """

    def __init__(self, kept: int, embed_dim: int, width: int = 160, blocks: int = 3):
        super().__init__()
        self.kept, self.embed_dim = kept, embed_dim
        self.feature, self.when = nn.Linear(embed_dim, width), nn.Linear(4 * WAVES, width)
        self.enter, self.leave = nn.Linear(kept, width), nn.Linear(width, kept)
        self.blocks = nn.ModuleList(Block(width, width) for _ in range(blocks))
        nn.init.zeros_(self.leave.weight), nn.init.zeros_(self.leave.bias)

    def forward(self, a: Tensor, time: Tensor, x: Tensor, amount: Tensor) -> Tensor:
        """Guess of the clean code.

        Args:
            a: noised codes, ``[N, K]``.
            time: ``[N]`` in [0, 1].
            x: centred features, ``[N, E]``; a row of zeros means no feature.
            amount: their blur, ``[N]``.
        """
        condition = F.silu(self.feature(x) + self.when(torch.cat([waves(time), waves(amount / MOST)], dim=1)))
        hidden = self.enter(a) + condition
        for block in self.blocks:
            hidden = block(hidden, condition)
        left = kept(time)[:, None]
        return (left.sqrt() * a + (1 - left).sqrt() * self.leave(hidden)).float()  # "v" turned round: right at both ends


def prior_loss(net: Denoiser, a: Tensor, e: Tensor, centre, rng: torch.Generator) -> Tensor:
    """Mean squared error of the cleaned codes of a batch, with features blurred or dropped at random.

    Args:
        net: the prior.
        a: whitened codes, ``[N, K]``.
        e: their unit features, ``[N, E]``.
        centre: unit features -> centred ones.
        rng: source of all randomness.
    """
    n = len(a)
    amount = torch.rand(n, generator=rng) * MOST
    amount = torch.where(torch.rand(n, generator=rng) < CLEAN, 0.0, amount)
    x = centre(blurred(e, torch.randn(e.shape, generator=rng), amount[:, None]))
    x = torch.where(torch.rand(n, 1, generator=rng) < DROPPED, 0.0, x)
    time = torch.rand(n, generator=rng) * LAST
    left = kept(time)[:, None]
    noised = left.sqrt() * a + (1 - left).sqrt() * torch.randn(a.shape, generator=rng)
    wrong = (net(noised, time, x, amount) - a).square().mean(1)
    return (wrong / (1 - left[:, 0]).clamp_min(0.05)).mean()  # late times are easy to get wrong, and early ones to get right


@torch.no_grad()
def sample(net: Denoiser, x: Tensor, amount: float, rng: torch.Generator, steps: int = 24, guidance: float = 1.0) -> Tensor:
    """Draw one code a feature, without further noise on the way (Song et al. 2021, "DDIM", Eq. (12) with eta 0).

    Args:
        net: the prior.
        x: centred features, ``[N, E]``.
        amount: blur that the network shall reckon with: 0 for a picture's feature, about 1 for a text's.
        rng: of the starts.
        steps: of cleaning.
        guidance: 1 takes the network at its word; more goes farther from what it would say without a feature.

    Returns:
        Whitened codes, ``[N, K]``.

    Raises:
        UserError: no step, or a blur that training did not reach.
    """
    if steps < 1 or not 0 <= amount <= MOST:
        raise UserError(f"a prior needs at least 1 step and a blur from 0 to {MOST}; got {steps} and {amount}")
    times = torch.linspace(LAST, 0, steps + 1, device=x.device)
    a, blur = torch.randn(len(x), net.kept, generator=rng).to(x.device), x.new_full((len(x),), amount)
    for now, then in zip(times[:-1], times[1:], strict=True):
        time = now.expand(len(x))
        clean = net(a, time, x, blur)
        if guidance != 1:
            free = net(a, time, torch.zeros_like(x), blur)
            clean = free + guidance * (clean - free)
        left, next_left = kept(now), kept(then)
        noise = (a - left.sqrt() * clean) / (1 - left).sqrt()
        a = next_left.sqrt() * clean + (1 - next_left).sqrt() * noise
    return clean
