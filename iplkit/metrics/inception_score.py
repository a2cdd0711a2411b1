"""Inception Score: sure about each image, and not always of the same thing.

Salimans et al. 2016, "Improved Techniques for Training GANs", Sec. 4: exp of the mean KL(p(y|x) || p(y)). What a
"class" is comes from the network that is asked, so values of two networks do not compare.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score


def split_score(probs: Tensor) -> Tensor:
    """Inception Score of one split, ``[N, C]`` -> scalar in [1, C]. A probability of 0 counts 0, as its limit does."""
    marginal = probs.mean(dim=0, keepdim=True)  # [1, C]
    divergence = torch.xlogy(probs, probs) - torch.xlogy(probs, marginal)  # [N, C]
    return divergence.sum(dim=1).mean().exp()


def inception_score(probs: Tensor, splits: int = 10) -> Score:
    """Inception Score, averaged over consecutive splits.

    Split s holds rows floor(s N / S) to floor((s + 1) N / S): no image is dropped. Rows are not shuffled here, so
    they must come in random order. Fewer images in a split give a lower value; compare only equal N and splits.

    Args:
        probs: class probabilities, ``[N, C]``, rows that sum to 1 (softmax in float64 if they come from logits).
        splits: how many parts; papers use 10.

    Returns:
        `Score`: mean over the splits, and their standard deviation (divided by S, as the first code does).

    Raises:
        UserError: logits instead of probabilities, or more splits than images.
    """
    if probs.ndim != 2 or bool((probs < 0).any()) or bool(((probs.double().sum(dim=1) - 1).abs() > 1e-3).any()):
        raise UserError(f"rows of probabilities [N, C] that sum to 1 are needed; got {tuple(probs.shape)} with other sums")
    n = len(probs)
    if not 1 <= splits <= n:
        raise UserError(f"splits must be between 1 and the number of images; got {splits} splits of {n} images")
    probs = probs.double()
    edges = [s * n // splits for s in range(splits + 1)]
    values = torch.stack([split_score(probs[a:b]) for a, b in zip(edges, edges[1:])])
    return Score("IS", values.mean().item(), values.std(unbiased=False).item(), 0, n, {"splits": splits})
