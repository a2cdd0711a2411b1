"""ID: is the adapted face still the same person?

Cosine of two face embeddings of one latent (Deng et al. 2019, "ArcFace", for the embedding; Kim et al. 2022,
"DiffusionCLIP", for its use as a score). A cosine means nothing alone: strangers do not score 0, and a collapse to one
face makes all outputs alike. So the cosines of strangers are computed beside it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_pairs, mean_score

SIDE, CROP, FACE = 256, (slice(35, 223), slice(32, 220)), 112  # rows and columns at 256 px; side the network wants


def ffhq_crop(images: Tensor) -> Tensor:
    """The face of an FFHQ-aligned image, as the ArcFace network of pSp, StyleCLIP and NADA wants it.

    Only for images aligned like FFHQ: the box is fixed and finds nothing.

    Args:
        images: ``[N, 3, H, H]`` float, H at least 256, any range.

    Returns:
        ``[N, 3, 112, 112]``: averaged down to 256, rows 35 to 223 and columns 32 to 220, averaged down to 112.

    Raises:
        UserError: images that are not square, smaller than 256, or not float.
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[2] < SIDE or not images.is_floating_point():
        raise UserError(f"the FFHQ crop needs float images [N, 3, H, H] with H at least {SIDE}; got {images.dtype} {tuple(images.shape)}")
    if images.shape[2] != SIDE:
        images = F.adaptive_avg_pool2d(images, SIDE)
    return F.adaptive_avg_pool2d(images[:, :, CROP[0], CROP[1]], FACE)


def _mean_of_strangers(a: Tensor, b: Tensor) -> float:
    """Mean cosine of unit rows a_i and b_j over all i other than j."""
    n = len(a)
    return float((a.sum(dim=0) @ b.sum(dim=0) - (a * b).sum()) / (n * (n - 1)))


def calibration(source: Tensor, adapted: Tensor) -> dict[str, float]:
    """What strangers score: mean cosines over *all* pairs of different latents, so nothing is drawn.

    Args:
        source, adapted: embeddings, ``[N, E]`` each, N at least 2.

    Returns:
        "source_strangers": two sources. "adapted_strangers": two adapted faces; near 1 means a collapse.
        "cross_strangers": a source and another latent's adapted face, the value that ID has to beat.

    Raises:
        UserError: fewer than 2 pairs, or shapes that differ.
    """
    source, adapted = (_unit(x) for x in check_pairs(source, adapted))
    if len(source) < 2:
        raise UserError(f"strangers need at least 2 latents; got {len(source)}")
    pairs = {"source_strangers": (source, source), "adapted_strangers": (adapted, adapted), "cross_strangers": (source, adapted)}
    return {name: _mean_of_strangers(a, b) for name, (a, b) in pairs.items()}


def _unit(embeddings: Tensor) -> Tensor:
    if bool((embeddings == 0).all(dim=1).any()):
        raise UserError("ID needs embeddings with a direction; a row is all zeros")
    return F.normalize(embeddings, dim=1)


def identity(source: Tensor, adapted: Tensor) -> Score:
    """Mean cosine of face embeddings, pair by pair.

    Args:
        source, adapted: embeddings, ``[N, E]`` each, row i of both from one latent; need not be normalized.

    Returns:
        `Score` in [-1, 1]; its spread is the standard error over the pairs. Settings: "std", "min" and "max" of the
        pairs and, from 2 pairs on, the strangers of `calibration`.

    Raises:
        UserError: shapes that differ, no pair, a row that is all zeros or not finite.
    """
    a, b = (_unit(x) for x in check_pairs(source, adapted))
    strangers = calibration(a, b) if len(a) > 1 else {}
    return mean_score("ID", (a * b).sum(dim=1), len(a), settings=strangers, protocol="cosine of embeddings, same latent")
