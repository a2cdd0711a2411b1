"""Numbers that only use the order of scores: area under the ROC curve, Spearman's correlation."""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score


def ranks(values: Tensor) -> Tensor:
    """Ranks from 1 along the last axis, ties share their mean rank, ``[..., N]`` -> ``[..., N]`` float64."""
    values = values.double().contiguous()
    ordered = values.sort(dim=-1).values
    below = torch.searchsorted(ordered, values, right=False)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to + 1).double() / 2


def auc(positive: Tensor, negative: Tensor) -> Score:
    """Chance that a positive pair scores above a negative one; a tie counts one half.

    Args:
        positive: scores of pairs that belong together, ``[N]``.
        negative: scores of pairs that do not, ``[M]``.

    Returns:
        `Score` in [0, 1]; 0.5 is a coin. The spread is DeLong's standard error (DeLong et al. 1988).

    Raises:
        UserError: fewer than 2 scores on a side, or one that is not finite.
    """
    n, m = positive.numel(), negative.numel()
    if min(n, m) < 2 or positive.ndim != 1 or negative.ndim != 1:
        raise UserError(f"AUC needs at least 2 positive and 2 negative scores; got {tuple(positive.shape)} and {tuple(negative.shape)}")
    if not bool(torch.cat([positive, negative]).isfinite().all()):
        raise UserError("AUC needs finite scores; some are not")
    together = ranks(torch.cat([positive, negative]))
    above = (together[:n] - ranks(positive)) / m  # share of negatives below each positive
    below = 1 - (together[n:] - ranks(negative)) / n  # share of positives above each negative
    spread = (above.var() / n + below.var() / m).sqrt().item()
    return Score("AUC", above.mean().item(), spread, n, m)


def spearman(x: Tensor, y: Tensor) -> Tensor:
    """Spearman's rank correlation along the last axis, ``[..., N], [..., N]`` -> ``[...]`` in [-1, 1].

    A row without any order (all values equal) has no correlation and counts 0.
    """
    a, b = ranks(x), ranks(y)
    a, b = a - a.mean(dim=-1, keepdim=True), b - b.mean(dim=-1, keepdim=True)
    scale = (a.square().sum(dim=-1) * b.square().sum(dim=-1)).sqrt()
    return torch.where(scale > 0, (a * b).sum(dim=-1) / scale.where(scale > 0, torch.ones_like(scale)), torch.zeros_like(scale))
