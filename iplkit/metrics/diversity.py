"""Precision and recall: are the samples good, and are they all there?

Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", Sec. 2. A set of
features is taken as the union of balls around its points, each reaching to the point's k-th neighbor.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.oracle import binomial_error
from iplkit.metrics.score import Score, check_features


def neighbor_radius(features: Tensor, k: int, chunk: int = 1000) -> Tensor:
    """Distance of each point to its k-th nearest other point, ``[N, D]`` -> ``[N]``."""
    radius = []
    for start in range(0, len(features), chunk):
        rows = features[start : start + chunk]
        distance = torch.cdist(rows, features)  # [chunk, N]
        here = torch.arange(len(rows), device=features.device)
        distance[here, start + here] = float("inf")  # a point is not its own neighbor
        radius.append(distance.kthvalue(k, dim=1).values)
    return torch.cat(radius)


def precision_recall(real: Tensor, fake: Tensor, k: int = 5, chunk: int = 1000) -> tuple[Score, Score]:
    """Share of fakes inside the true set, and share of true images inside the fake set.

    One pass over the distances serves both. A point on the rim of a ball counts as inside.

    Args:
        real: features of true images, ``[N, D]``.
        fake: features of generated images, ``[M, D]``.
        k: which neighbor sets the radius.
        chunk: rows of distances held at once.

    Returns:
        Two scores, precision and recall, each in [0, 1] with its binomial standard error.

    Raises:
        UserError: if a set has not more than k images.
    """
    real, fake = check_features(real, fake)
    n, m = len(real), len(fake)
    if k < 1 or min(n, m) <= k:
        raise UserError(f"k = {k} neighbors need more than {max(k, 1)} images in each set; got {n} real and {m} fake")
    radius_real, radius_fake = neighbor_radius(real, k, chunk), neighbor_radius(fake, k, chunk)
    fake_inside = torch.zeros(m, dtype=torch.bool, device=real.device)
    real_inside = []
    for start in range(0, n, chunk):
        distance = torch.cdist(real[start : start + chunk], fake)  # [chunk, M]
        fake_inside |= (distance <= radius_real[start : start + chunk, None]).any(dim=0)
        real_inside.append((distance <= radius_fake).any(dim=1))
    precision, recall = fake_inside.double().mean().item(), torch.cat(real_inside).double().mean().item()
    settings = {"k": k}
    return (
        Score("precision", precision, binomial_error(precision, m), n, m, settings),
        Score("recall", recall, binomial_error(recall, n), n, m, settings),
    )
