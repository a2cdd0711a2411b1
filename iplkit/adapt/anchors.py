"""Anchors: what the adapted images are compared with, on the frozen source side."""

from collections.abc import Callable

import torch
from torch import Tensor

from iplkit.adapt.look import Look

Anchor = Callable[[Tensor, int], Tensor]  # (ws [N, num_ws, 512], step) -> image features [N * views, E]


def image_anchor(look: Look, generator_source: torch.nn.Module) -> Anchor:
    """Compare each image with the frozen generator's image of the same latent.

    NADA (Gal et al. 2022, Sec. 4) and IPL (Guo et al. 2023, Sec. 3.3) both do.
    """

    @torch.no_grad()
    def anchor(ws: Tensor, step: int) -> Tensor:
        return look(generator_source, ws, step, side="source")

    return anchor


def mean_anchor(look: Look, generator_source: torch.nn.Module) -> Anchor:
    """Compare each image with the average of the batch's source images: the person no longer matters."""
    each = image_anchor(look, generator_source)

    def anchor(ws: Tensor, step: int) -> Tensor:
        features = torch.nn.functional.normalize(each(ws, step), dim=-1)  # [N, E]
        return features.mean(dim=0, keepdim=True).expand_as(features)

    return anchor
