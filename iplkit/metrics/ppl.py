"""PPL: how far the image moves for a small step of the latent.

Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks", Sec. 4.1, Eq. (2) and (3):
the LPIPS of two images a step of eps apart, over eps squared. The extremes are cut off as in NVIDIA's code.
"""

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_pairs, mean_score


def percentile_filter(
    values: Tensor, low: float = 1.0, high: float = 99.0, method: tuple[str, str] = ("lower", "higher")
) -> tuple[Tensor, float, float]:
    """Values between two percentiles, both included.

    Args:
        values: ``[N]``.
        low, high: percentiles, 0 to 100.
        method: how numpy finds each of them, see ``numpy.percentile``.

    Returns:
        The values kept, and the two limits.
    """
    array = values.double().cpu().numpy()
    limits = [float(np.percentile(array, q, method=how)) for q, how in zip((low, high), method)]
    return values[(values >= limits[0]) & (values <= limits[1])], limits[0], limits[1]


def ppl_of_distances(distances: Tensor, low: float = 1.0, high: float = 99.0, **settings) -> Score:
    """Mean path length of distances that are already divided by eps squared.

    Args:
        distances: ``[N]``, not negative.
        low, high: percentiles that are kept; 0 and 100 keep all.
        settings: what else moved the number.

    Returns:
        `Score`; its spread is the standard error of what was kept. Settings also get the limits and the number "kept".

    Raises:
        UserError: fewer than 2 distances, a negative one, or one that is not finite.
    """
    if distances.ndim != 1 or len(distances) < 2 or not bool((distances.isfinite() & (distances >= 0)).all()):
        raise UserError(f"PPL needs a row of at least 2 finite distances that are not negative; got {tuple(distances.shape)}")
    kept, lowest, highest = percentile_filter(distances.double(), low, high)
    settings |= {"percentiles": [low, high], "limits": [lowest, highest], "kept": len(kept), "pairs": len(distances)}
    return mean_score("PPL", kept, 0, settings=settings, protocol=f"percentiles {low:g} lower to {high:g} higher")


def ppl(start: Tensor, end: Tensor, eps: float = 1e-4, low: float = 1.0, high: float = 99.0) -> Score:
    """Perceptual path length from LPIPS embeddings at t and at t + eps.

    Steps are along a line in w and along the sphere in z; the caller takes them.

    Args:
        start, end: LPIPS embeddings, ``[N, E]`` each, row i of both from one path. At eps = 1e-4 differences are tiny:
            compute the embeddings in float32 at least.
        eps: the step, in shares of the path.
        low, high: percentiles that are kept.

    Raises:
        UserError: shapes that differ, values that are not finite, or a step that is not positive.
    """
    if not eps > 0:
        raise UserError(f"PPL needs a positive step; got {eps}")
    start, end = check_pairs(start, end)
    return ppl_of_distances((start - end).square().sum(dim=1) / eps**2, low, high, eps=eps)
