"""Regularizers: what an adaptation should keep. Neither NADA nor IPL has one; both are here to be tried."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.look import Look


@dataclass(frozen=True)
class Step:
    """What one step of the loop knows; a regularizer takes what it needs."""

    ws: Tensor  # [N, num_ws, 512]
    image_source: Tensor  # features from the anchor, [N, E]
    image_target: Tensor  # features of the adapted images, [N, E]
    generator_source: nn.Module
    generator_target: nn.Module
    images_target: Tensor | None = None  # [N, 3, H, W] in [-1, 1], not clamped; before views
    look: Look | None = None  # how this CLIP sees images
    step: int = 0  # updates done

    @cached_property
    def images_source(self) -> Tensor:
        """The frozen generator's images of the same latents, `[N, 3, H, W]`; drawn when first asked for."""
        with torch.no_grad(), self.look.autocast(self.ws.device):
            return self.look.draw_images(self.generator_source, self.ws, self.step, side="source")


Regularizer = Callable[[Step], Tensor]


def keep_differences(weight: float) -> Regularizer:
    """Keep people apart: the cosines within a batch shall stay what they are for the source images.

    It works against the collapse of a domain onto one face, in the spirit of Ojha et al. 2021.
    """

    def regularizer(step: Step) -> Tensor:
        source, target = F.normalize(step.image_source, dim=-1), F.normalize(step.image_target, dim=-1)
        return weight * F.mse_loss(target @ target.T, (source @ source.T).detach())

    return regularizer


def keep_weights(weight: float) -> Regularizer:
    """Stay near the source generator: mean squared distance of all synthesis weights."""

    def regularizer(step: Step) -> Tensor:
        pairs = zip(step.generator_target.synthesis.parameters(), step.generator_source.synthesis.parameters(), strict=True)
        squares = [(new - old.detach()).square() for new, old in pairs]
        return weight * torch.stack([s.sum() for s in squares]).sum() / sum(s.numel() for s in squares)

    return regularizer
