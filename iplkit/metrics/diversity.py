"""Precision and recall, density and coverage: are the samples good, and are they all there?

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


def _inside(distance: Tensor, radius: Tensor, rim: str) -> Tensor:
    return distance <= radius if rim == "inside" else distance < radius


def _counts(real: Tensor, fake: Tensor, k: int, chunk: int, rim: str) -> tuple[Tensor, Tensor, Tensor]:
    """Of each fake: how many true balls hold it, ``[M]``. Of each true image: is it in a fake ball, ``[N]``; does its
    own ball hold a fake, ``[N]``. One pass over the distances serves all three."""
    radius_real, radius_fake = neighbor_radius(real, k, chunk), neighbor_radius(fake, k, chunk)
    balls = torch.zeros(len(fake), dtype=torch.long, device=real.device)
    reached, covered = [], []
    for start in range(0, len(real), chunk):
        distance = torch.cdist(real[start : start + chunk], fake)  # [chunk, M]
        held = _inside(distance, radius_real[start : start + chunk, None], rim)
        balls += held.sum(dim=0)
        covered.append(held.any(dim=1))
        reached.append(_inside(distance, radius_fake, rim).any(dim=1))
    return balls, torch.cat(reached), torch.cat(covered)


def prdc(real: Tensor, fake: Tensor, k: int = 5, chunk: int = 1000, rim: str = "inside") -> dict[str, Score]:
    """Precision, recall, density and coverage from one pass over the distances.

    Recall and coverage see a collapse, precision and density do not. Density counts how many true balls hold a fake
    and so forgives a lone true outlier, whose ball is huge; coverage asks the true balls, which do not grow when fakes
    scatter. Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", Sec. 3.

    Args:
        real: features of true images, ``[N, D]``.
        fake: features of generated images, ``[M, D]``. All four but precision depend on N and M: compare equal ones.
        k: which neighbor sets the radius; 5 is usual, torch-fidelity takes 3.
        chunk: rows of distances held at once.
        rim: whether a point exactly on the rim of a ball counts: "inside" (Kynkaanniemi et al., torch-fidelity) or
            "outside" (Naeem et al.).

    Returns:
        "precision", "recall" and "coverage" in [0, 1] with their binomial standard errors; "density" from 0, 1 for
        one law, with the standard error of its mean over the fakes.

    Raises:
        UserError: if a set has not more than k images; an unknown rim.
    """
    real, fake = check_features(real, fake)
    n, m = len(real), len(fake)
    if k < 1 or min(n, m) <= k:
        needed = f"k = {k} neighbors need more than {max(k, 1)} images in each set; got {n} real and {m} fake"
        raise UserError(f"{needed}; a smaller k bears fewer, and the Vendi score needs 2")
    if rim not in ("inside", "outside"):
        raise UserError(f"the rim is inside or outside; got {rim!r}")
    balls, reached, covered = _counts(real, fake, k, chunk, rim)
    settings, found = {"k": k, "rim": rim}, {}
    for name, hits in {"precision": balls > 0, "recall": reached, "coverage": covered}.items():
        rate = hits.double().mean().item()
        found[name] = Score(name, rate, binomial_error(rate, len(hits)), n, m, settings)
    error = (balls.double().std() / m**0.5 / k).item()
    found["density"] = Score("density", balls.sum().item() / (k * m), error, n, m, settings)
    return found


def precision_recall(real: Tensor, fake: Tensor, k: int = 5, chunk: int = 1000) -> tuple[Score, Score]:
    """Share of fakes inside the true set, and share of true images inside the fake set; a point on a rim is inside.

    Args:
        real, fake, k, chunk: see `prdc`.

    Returns:
        Two scores, precision and recall, each in [0, 1] with its binomial standard error.

    Raises:
        UserError: if a set has not more than k images.
    """
    found = prdc(real, fake, k, chunk)
    return found["precision"], found["recall"]
