"""CMMD: distance of two sets of CLIP embeddings, a cheap test of their means.

Jayasumana et al. 2024, "Rethinking FID: Towards a Better Evaluation Metric for Image Generation", Sec. 4. Between unit
vectors a Gaussian kernel of width 10 is almost linear, so the value is almost ten times the squared distance of the two
mean embeddings. It cannot see a collapse that keeps the mean.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_features

SIGMA, SCALE = 10.0, 1000.0


def _kernel_minus_one(x: Tensor, y: Tensor) -> Tensor:
    """Mean over all pairs of exp(-|x - y|² / 2σ²) - 1, for unit rows; the 1 would cost four digits and cancels."""
    squared = (2 - 2 * x @ y.T).clamp(min=0)
    return torch.expm1(-squared / (2 * SIGMA**2)).mean()


def cmmd(real: Tensor, fake: Tensor) -> Score:
    """1000 times the squared MMD of two sets of embeddings, all pairs counted (the biased estimate).

    Args:
        real, fake: embeddings, ``[N, E]`` and ``[M, E]``; put on the unit sphere here.

    Returns:
        `Score`, not negative. Settings: "mean_difference", ten times the squared distance of the mean embeddings, for
        comparison.

    Raises:
        UserError: sets of different width, not finite, or fewer than 2 images.
    """
    real, fake = check_features(real, fake)
    if min(len(real), len(fake)) < 2:
        raise UserError(f"CMMD needs at least 2 images in each set; got {len(real)} real and {len(fake)} fake")
    x, y = F.normalize(real, dim=1), F.normalize(fake, dim=1)
    value = SCALE * (_kernel_minus_one(x, x) + _kernel_minus_one(y, y) - 2 * _kernel_minus_one(x, y))
    linear = SCALE / SIGMA**2 * (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    settings = {"sigma": SIGMA, "scale": SCALE, "mean_difference": linear.item()}
    return Score("CMMD", value.item(), None, len(real), len(fake), settings, protocol="biased MMD², Gaussian kernel, times 1000")
