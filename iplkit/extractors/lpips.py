"""LPIPS as a place in space: every image becomes one vector, and squared distances between vectors are LPIPS.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", Eq. (1). Its weights are
not negative, so their roots can go into the features: N images need N passes of the network, whatever is compared.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

EPSILON = 1e-10  # added to the norm of a feature, as in the published code


def unit_layers(maps: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> Tensor:
    """Vectors whose squared distance is LPIPS.

    Args:
        maps: one per layer, ``[N, C, h, w]``.
        weights: one per layer, ``[C]``, none negative; None weighs all layers and channels alike, with 1 / layers.

    Returns:
        ``[N, E]``, the layers one behind the other, E the sum of all C h w.
    """
    parts = []
    for index, x in enumerate(maps):
        unit = x / (x.square().sum(dim=1, keepdim=True).sqrt() + EPSILON)
        share = 1 / len(maps) if weights is None else weights[index].view(1, -1, 1, 1)
        parts.append((unit * (torch.as_tensor(share, device=x.device) / x[0, 0].numel()).sqrt()).flatten(1))
    return torch.cat(parts, dim=1)
