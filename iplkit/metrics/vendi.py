"""Vendi score: how many different images a set is worth.

Friedman and Dieng 2023, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", Def. 3.1: exp of the
entropy of the eigenvalues of K / N. Here K holds cosines.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_set


def vendi(features: Tensor) -> Score:
    """Effective number of different images, between 1 and N.

    Copies do not count. Its scale depends on the features: compare with the source generator's own value.

    Args:
        features: ``[N, D]``, N at least 2; put on the unit sphere here.

    Raises:
        UserError: fewer than 2 images, a row of zeros, or one that is not finite.
    """
    features = check_set(features)
    n, d = features.shape
    if n < 2:
        raise UserError(f"the Vendi score needs at least 2 images; got {n}")
    if bool((features == 0).all(dim=1).any()):
        raise UserError("the Vendi score needs features with a direction; a row is all zeros")
    unit = F.normalize(features, dim=1)
    gram = unit @ unit.T if n <= d else unit.T @ unit  # both have the same eigenvalues above 0
    weights = torch.linalg.eigvalsh(gram / n).clamp(min=0)
    return Score("Vendi", (-torch.xlogy(weights, weights).sum()).exp().item(), None, 0, n, {"kernel": "cosine"})
