"""LPIPS as a place in space: one vector per image, whose squared distances are LPIPS.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", Eq. (1):

    d(x, y) = Σ_l 1 / (H_l W_l) Σ_hw | w_l (unit(x_l) - unit(y_l)) |²,

where the published heads multiply the squares and are never negative. With e(x) the features unit(x_l) times
sqrt(w_l / (H_l W_l)), one behind the other, d(x, y) = |e(x) - e(y)|². All distances of N images then cost N passes of the
network and not N (N - 1).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from iplkit.errors import UserError

CONVENTIONS = ("lpips", "torchmetrics")


def unit_channels(features: Tensor, convention: str = "lpips") -> Tensor:
    """Features of length 1 at each position, ``[N, C, h, w]`` -> ``[N, C, h, w]``.

    Args:
        features: one layer.
        convention: where the small number is that keeps an empty position finite: "lpips" divides by the norm + 1e-10,
            "torchmetrics" by sqrt(1e-8 + sum of squares).

    Raises:
        UserError: an unknown convention.
    """
    if convention not in CONVENTIONS:
        raise UserError(f"LPIPS is normalized the way {' or '.join(CONVENTIONS)}; got {convention!r}")
    energy = features.square().sum(dim=1, keepdim=True)
    return features / (energy.sqrt() + 1e-10 if convention == "lpips" else (energy + 1e-8).sqrt())


def lpips_embedding(features: Sequence[Tensor], weights: Sequence[Tensor], convention: str = "lpips") -> Tensor:
    """Vectors whose squared Euclidean distance is LPIPS.

    Args:
        features: one per layer, ``[N, C, h, w]``, as the trunk gives them.
        weights: one per layer, ``[C]``, not negative: the heads.
        convention: see `unit_channels`.

    Returns:
        ``[N, E]`` in the features' type, E the sum of all C h w: 8 million for VGG at 256 px.

    Raises:
        UserError: layers that do not fit their weights, a negative weight, features that are not finite.
    """
    shapes = [tuple(f.shape) for f in features]
    if not shapes or len(features) != len(weights) or any(f.ndim != 4 or w.shape != (f.shape[1],) for f, w in zip(features, weights)):
        raise UserError(f"LPIPS needs one weight [C] for each layer [N, C, h, w]; got {shapes} and {[tuple(w.shape) for w in weights]}")
    if any(bool((w < 0).any()) for w in weights):
        raise UserError("LPIPS is a squared distance only if no weight is negative; one is")
    if not all(bool(f.isfinite().all()) for f in features):
        raise UserError("LPIPS needs finite features; some are not")
    parts = []
    for feature, weight in zip(features, weights):
        share = (weight.to(feature) / feature[0, 0].numel()).sqrt()  # [C]
        parts.append((unit_channels(feature, convention) * share[:, None, None]).flatten(1))
    return torch.cat(parts, dim=1)


def lpips_distance(a: Tensor, b: Tensor) -> Tensor:
    """LPIPS of each pair of embeddings, ``[N, E]`` twice -> ``[N]`` float64.

    Raises:
        UserError: shapes that differ.
    """
    if a.ndim != 2 or a.shape != b.shape:
        raise UserError(f"LPIPS needs two equal sets of embeddings [N, E]; got {tuple(a.shape)} and {tuple(b.shape)}")
    return sum((x.double() - y.double()).square().sum(dim=1) for x, y in zip(a.split(1 << 16, dim=1), b.split(1 << 16, dim=1)))
