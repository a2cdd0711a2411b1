"""k-medoids: k members of a set that stand for it, chosen so that all others are near one of them.

Kaufman and Rousseeuw 1990, "Finding Groups in Data", Ch. 2 (PAM). All swaps of a step are priced together as in
Schubert and Rousseeuw 2019, "Faster k-Medoids Clustering", Sec. 3: what a swap costs is known from each member's nearest
and second nearest medoid.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError

ROUNDING = 1e-12  # of the cost: a swap must gain more


def _swap_gains(distances: Tensor, medoids: Tensor) -> Tensor:
    """Change of the total cost if medoid m is replaced by candidate c, ``[N, k]``."""
    to_medoids = distances[:, medoids]  # [N, k]
    nearest, label = to_medoids.min(dim=1)
    others = to_medoids.scatter(1, label[:, None], float("inf"))
    second = others.min(dim=1).values  # [N]; infinite where k = 1
    joins = (distances - nearest).clamp(max=0)  # [C, N]: gain if c comes and nobody goes
    leaves = torch.minimum(distances, second) - nearest - joins  # [C, N]: and if the member's own medoid goes
    own = torch.nn.functional.one_hot(label, len(medoids)).to(distances)  # [N, k]
    return joins.sum(dim=1, keepdim=True) + leaves @ own


def _descend(distances: Tensor, medoids: Tensor) -> tuple[Tensor, float]:
    """Best swap after best swap until none gains."""
    cost = distances[:, medoids].min(dim=1).values.sum()
    while True:
        gains = _swap_gains(distances, medoids)
        best = int(gains.argmin())
        if gains.flatten()[best] >= -ROUNDING * cost:
            return medoids, float(cost)
        medoids = medoids.clone()
        medoids[best % len(medoids)] = best // len(medoids)
        cost = distances[:, medoids].min(dim=1).values.sum()


def k_medoids(distances: Tensor, k: int = 10, *, seed: int = 0, restarts: int = 5) -> Tensor:
    """Members that minimize the sum of everyone's distance to the nearest of them.

    The best of several descents from random members; same seed, same medoids.

    Args:
        distances: ``[N, N]``, symmetric, not negative, zeros on the diagonal.
        k: how many.
        seed: of the starts.
        restarts: descents.

    Returns:
        Row numbers in ascending order, ``[k]``.

    Raises:
        UserError: no matrix of distances, or not more than k members.
    """
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or not bool((distances.isfinite() & (distances >= 0)).all()):
        raise UserError(f"k-medoids needs a square matrix of finite distances, not negative; got {tuple(distances.shape)}")
    n = len(distances)
    if not 1 <= k < n:
        raise UserError(f"{k} medoids need more than {max(k, 1)} members; got {n}")
    generator, distances = torch.Generator().manual_seed(seed), distances.double()
    found = [_descend(distances, torch.randperm(n, generator=generator)[:k].to(distances.device)) for _ in range(restarts)]
    return min(found, key=lambda pair: pair[1])[0].sort().values
