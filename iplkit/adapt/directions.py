"""Directions: where in CLIP's space an adapted image should move, and whether it did.

A text direction is a function of w: constant for NADA, one per image for IPL. All are unit vectors.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.stage1 import TextSide
from iplkit.clip.prompts import template_features
from iplkit.losses import template_direction

Direction = Callable[[Tensor], Tensor]  # w [N, 512] -> unit vectors [N, E], or [1, E] shared by the batch


@torch.no_grad()
def averaged_direction(clip: nn.Module, source: str, target: str, templates: tuple[str, ...]) -> Direction:
    """One direction for all images: the mean over templates of target minus source (Gal et al. 2022, Sec. 4.1).

    Args:
        clip: frozen CLIP.
        source: the source domain's word.
        target: the target domain's word.
        templates: sentences with a "{}" for the word.
    """
    start, end = (template_features(clip, word, templates) for word in (source, target))  # [T, E] each
    delta = template_direction(start, end)  # [1, E]
    return lambda w: delta


def prompt_direction(mapper: nn.Module, source: TextSide, target: TextSide) -> Direction:
    """One direction per image, from the prompt that the mapper writes for its w (Guo et al. 2023, Sec. 3.3).

    Args:
        mapper: trained in stage 1, frozen here; w `[N, 512]` -> prompts `[N, M, D]`.
        source: turns prompts into features of the source domain.
        target: the same for the target domain.
    """

    @torch.no_grad()
    def direction(w: Tensor) -> Tensor:
        prompts = mapper(w)  # [N, M, D]
        start, end = F.normalize(source(prompts), dim=-1), F.normalize(target(prompts), dim=-1)  # [N, E]
        return F.normalize(end - start, dim=-1)

    return direction


def image_direction(image_source: Tensor, image_target: Tensor, floor: float) -> Tensor:
    """How the image moved in CLIP's space, as a unit vector; short moves stay short.

    On the first step the two generators are equal. With paired noise the move is exactly 0, and a
    plain unit vector would have an endless gradient there, which Adam remembers for the whole run.
    Below `floor` the move is divided by `floor` instead of by its own length: the gradient stays
    finite and points along the text direction.

    Args:
        image_source: features, not normalized, `[N, E]`.
        image_target: the same for the adapted images.
        floor: length on the unit sphere below which a move is not stretched; 0.1 is 6 degrees.

    Returns:
        `[N, E]`, of length 1, or shorter where the move is shorter than `floor`.
    """
    delta = F.normalize(image_target, dim=-1) - F.normalize(image_source, dim=-1)
    return delta / delta.norm(dim=-1, keepdim=True).clamp(min=floor)


def cosine_loss(delta_image: Tensor, delta_text: Tensor) -> Tensor:
    """1 - cos of the two moves, mean over images: 0 the same way, 1 at right angles, 2 opposite.

    Args:
        delta_image: `[N, E]`, at most of length 1.
        delta_text: unit vectors, `[N, E]` or `[1, E]`.
    """
    return (1 - (delta_image * delta_text).sum(dim=-1)).mean()
