"""Is the target's style there? Directions and margins in CLIP's space.

Gal et al. 2022, "StyleGAN-NADA: CLIP-Guided Domain Adaptation of Image Generators", Sec. 4.1 for the direction.
NADA and IPL are trained on it: with the encoders of the training it is a training objective, and only another encoder
judges.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_pairs, check_set, mean_score

STILL = 1e-9  # a step in CLIP space shorter than this has no direction


def _caption(text: Tensor, width: int, what: str) -> Tensor:
    text = text.squeeze(0) if text.ndim == 2 else text
    if text.shape != (width,) or not bool(text.isfinite().all()) or not bool(text.any()):
        raise UserError(f"the {what} caption needs one finite embedding [{width}]; got {tuple(text.shape)}")
    return F.normalize(text.double(), dim=0)


def _directions(source: Tensor, adapted: Tensor) -> tuple[Tensor, Tensor]:
    """Unit steps of each pair ``[N, E]``, zeros where an image did not move, and which moved ``[N]``."""
    source, adapted = check_pairs(source, adapted)
    step = F.normalize(adapted, dim=1) - F.normalize(source, dim=1)
    length = step.norm(dim=1, keepdim=True)
    moved = length > STILL
    return torch.where(moved, step / length.clamp(min=STILL), 0.0), moved[:, 0]


def clip_direction(source: Tensor, adapted: Tensor, text_source: Tensor, text_target: Tensor) -> Score:
    """Mean cosine between the step of the images and the step of the captions, each embedding normalized first.

    Args:
        source, adapted: image embeddings, ``[N, E]`` each, row i of both from one latent.
        text_source, text_target: caption embeddings, ``[E]``.

    Returns:
        `Score` in [-1, 1]; its spread is the standard error. An image that did not move counts 0; settings give their
        number, "num_still".

    Raises:
        UserError: shapes that differ, values that are not finite, or two captions with one embedding.
    """
    steps, moved = _directions(source, adapted)
    step = _caption(text_target, steps.shape[1], "target") - _caption(text_source, steps.shape[1], "source")
    if float(step.norm()) <= STILL:
        raise UserError("a direction needs two different captions; source and target have one embedding")
    settings = {"num_still": int((~moved).sum())}
    return mean_score("CLIP direction", steps @ F.normalize(step, dim=0), len(steps), settings=settings, protocol="Gal et al. 2022, Sec. 4.1")


def text_margin(images: Tensor, text_source: Tensor, text_target: Tensor) -> Score:
    """How much nearer the images are to the target's caption than to the source's: cos(I, T_target) - cos(I, T_source).

    Args:
        images: embeddings, ``[N, E]``.
        text_source, text_target: caption embeddings, ``[E]``.

    Returns:
        `Score` in [-2, 2], from about -0.1 to 0.1 in practice; its spread is the standard error.

    Raises:
        UserError: wrong shapes, no image, values that are not finite.
    """
    images = check_set(images, "images")
    if len(images) == 0:
        raise UserError("the text margin needs at least one image; got none")
    step = _caption(text_target, images.shape[1], "target") - _caption(text_source, images.shape[1], "source")
    return mean_score("CLIP text margin", F.normalize(images, dim=1) @ step, 0)


def direction_agreement(source: Tensor, adapted: Tensor) -> Score:
    """Mean cosine of the steps of two different images: near 1, all images were moved alike.

    Training on one direction for all pushes it up, and a collapse shows here first.

    Args:
        source, adapted: embeddings, ``[N, E]`` each, row i of both from one latent.

    Returns:
        `Score` in [-1, 1], all pairs of different images counted. Settings: "num_still", images that did not move and
        are left out.

    Raises:
        UserError: shapes that differ, or fewer than 2 images that moved.
    """
    steps, moved = _directions(source, adapted)
    steps = steps[moved]
    n = len(steps)
    if n < 2:
        raise UserError(f"the agreement of directions needs at least 2 images that moved; {n} of {len(moved)} did")
    value = float((steps.sum(dim=0).square().sum() - n) / (n * (n - 1)))
    return Score("direction agreement", value, None, len(moved), len(moved), {"num_still": len(moved) - n})
