"""Diversity within clusters of like images, by LPIPS. Two different numbers go by this name in papers:

    intra_lpips_nearest  clusters around the few training images, all *pairs* within (Ojha et al. 2021, "Few-shot Image
                         Generation via Cross-domain Correspondence", Sec. 4.1)
    intra_lpips_medoids  k-medoids of the generated images, each member's distance *to its medoid* (the zero-shot papers
                         after Gal et al. 2022, who have no training images)

The first is up to twice the second on the same images. Both are read as a ratio to the source generator's own value.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.kmedoids import k_medoids
from iplkit.metrics.score import Score


def _check(distances: Tensor) -> Tensor:
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or not bool((distances.isfinite() & (distances >= 0)).all()):
        raise UserError(f"intra-LPIPS needs a square matrix of finite LPIPS distances; got {tuple(distances.shape)}")
    return distances.double()


def _mean_of_pairs(distances: Tensor) -> Tensor:
    """Mean over pairs i < j; nan where there is none."""
    n = len(distances)
    return distances.triu(1).sum() / (n * (n - 1) / 2)


def intra_lpips_nearest(distances: Tensor, to_training: Tensor, *, members: int | None = 50, seed: int = 0) -> Score:
    """Mean LPIPS of pairs that are nearest to one training image; the mean of the clusters' means.

    Args:
        distances: LPIPS between generated images, ``[N, N]``; papers take N = 1000.
        to_training: LPIPS of each generated image to each training image, ``[N, K]``; papers take K = 10.
        members: most images used of a cluster, drawn at random; None uses all.
        seed: which are drawn.

    Returns:
        `Score`; its spread is the standard deviation over the clusters (K - 1). A cluster of fewer than 2 images has no
        pair and is left out. Settings: "sizes" before the draw, "per_cluster" (None where left out).

    Raises:
        UserError: wrong shapes, values that are no distances, or no cluster with 2 images.
    """
    distances = _check(distances)
    if to_training.ndim != 2 or len(to_training) != len(distances) or to_training.shape[1] < 1 or not bool(to_training.isfinite().all()):
        raise UserError(f"clusters need finite distances [{len(distances)}, K] to K training images; got {tuple(to_training.shape)}")
    generator = torch.Generator().manual_seed(seed)
    label = to_training.argmin(dim=1)
    sizes, values = [], []
    for cluster in range(to_training.shape[1]):
        here = (label == cluster).nonzero()[:, 0]
        sizes.append(len(here))
        if members is not None and len(here) > members:
            here = here[torch.randperm(len(here), generator=generator)[:members].to(here.device)]
        values.append(_mean_of_pairs(distances[here][:, here]))
    values = torch.stack(values)
    kept = values[~values.isnan()]
    if len(kept) == 0:
        raise UserError(f"intra-LPIPS needs a cluster of at least 2 images; the sizes are {sizes}; use more images")
    spread = kept.std().item() if len(kept) > 1 else None
    settings = {"members": members, "seed": seed, "sizes": sizes, "per_cluster": [None if v.isnan() else v.item() for v in values]}
    protocol = "Ojha et al. 2021: pairs around each training image"
    return Score("intra-LPIPS (nearest)", kept.mean().item(), spread, len(sizes), len(distances), settings, protocol=protocol)


def distance_to_medoids(distances: Tensor, medoids: Tensor, **settings) -> Score:
    """Mean LPIPS of each image to the medoid nearest to it; the mean of the clusters' means.

    Args:
        distances: LPIPS between generated images, ``[N, N]``.
        medoids: row numbers, ``[k]``. A medoid's own distance counts 0.
        settings: how the medoids were found.

    Returns:
        `Score`; its spread is the standard deviation over the clusters (k - 1). Settings: "all", the mean over images
        instead of clusters, "sizes", "per_cluster", "medoids".

    Raises:
        UserError: wrong shapes, or values that are no distances.
    """
    distances = _check(distances)
    near, label = distances[:, medoids].min(dim=1)
    # A copy of a medoid is as near to both; the medoid itself must stay in its own cluster.
    near[medoids], label[medoids] = 0.0, torch.arange(len(medoids), device=label.device)
    sizes = label.bincount(minlength=len(medoids))
    means = torch.zeros(len(medoids), dtype=near.dtype, device=near.device).index_add_(0, label, near) / sizes
    settings |= {"all": near.mean().item(), "sizes": sizes.tolist(), "per_cluster": means.tolist(), "medoids": medoids.tolist()}
    spread = means.std().item() if len(means) > 1 else None
    protocol = "zero-shot papers: distance to the medoid"
    return Score("intra-LPIPS (medoids)", means.mean().item(), spread, 0, len(distances), settings, protocol=protocol)


def intra_lpips_medoids(distances: Tensor, k: int = 10, *, seed: int = 0, restarts: int = 5) -> Score:
    """Mean LPIPS of each image to the medoid of its cluster, with k-medoids on the images themselves.

    Args:
        distances: LPIPS between generated images, ``[N, N]``; papers take N = 1000.
        k: clusters.
        seed, restarts: of the search for medoids.

    Returns:
        See `distance_to_medoids`.

    Raises:
        UserError: not more than k images, or values that are no distances.
    """
    distances = _check(distances)
    if len(distances) <= k:
        raise UserError(f"intra-LPIPS with {k} medoids needs more than {k} images; got {len(distances)}; use a smaller k or more images")
    return distance_to_medoids(distances, k_medoids(distances, k, seed=seed, restarts=restarts), k=k, seed=seed, restarts=restarts)
