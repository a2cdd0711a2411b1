"""Semantic variations: many texts near the target's, and a loss on the mean and spread of directions."""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import averaged_direction
from iplkit.adapt.draws import draw
from iplkit.adapt.loop import Plugs
from iplkit.adapt.selectors import make_selector
from iplkit.adapt.task import Recipe, Task
from iplkit.clip.prompts import template_anchor, template_features

SEARCH_STEPS = 50


def moments(task: Task) -> Recipe:
    """Match mean and covariance of image directions to those of text directions (Jeon et al. 2023, ICCV; arXiv 2308.10554).

    "Improving Diversity in Zero-Shot GAN Adaptation with Semantic Variations", its directional moment
    loss. Its two terms that preserve content (elastic weights, relation consistency) are left out, and
    the variations are found in the span of the templates, which is ours: see `variations`.
    """
    s, source = task.settings, F.normalize(template_anchor(task.clip, task.source, task.templates), dim=-1)  # [1, E]
    features = template_features(task.clip, task.target, task.templates)  # [T, E]
    texts = variations(features, s.variations, s.variation_angle, draw(task.seed, "variations"))  # [K, E]
    wanted = F.normalize(texts - source, dim=-1)
    return Recipe(
        Plugs(
            direction=averaged_direction(task.clip, task.source, task.target, task.templates),  # for the record; the loss has its own
            anchor=source_anchor(task),
            selector=make_selector(task.clip, task.target, s, task.seed, task.more),
            loss=lambda delta_image, delta_text: moment_loss(delta_image, wanted, s.moment_weight),
        )
    )


def moment_loss(delta_image: Tensor, delta_texts: Tensor, weight: float) -> Tensor:
    """Squared distance of the means, plus `weight` times that of the covariances.

    Args:
        delta_image: moves of a batch, `[N, E]`. One image has no spread: N of 2 or more is wanted.
        delta_texts: directions of the variations, `[K, E]`.
        weight: of the covariances.

    Returns:
        Scalar, 0 or more.
    """
    mean = (delta_image.mean(dim=0) - delta_texts.mean(dim=0)).square().sum()
    return mean + weight * (_covariance(delta_image) - _covariance(delta_texts)).square().sum()


def variations(features: Tensor, count: int, angle: float, draws: torch.Generator) -> Tensor:
    """Texts as different from each other as they can be, all at one angle from the center of the target's sentences.

    They leave the center only in directions in which sentences about the target differ, so they stay language.

    Args:
        features: sentences about the target, `[T, E]`, of length 1.
        count: K.
        angle: to the center, radians.
        draws: where the search begins.

    Returns:
        `[K, E]`, of length 1.
    """
    center = F.normalize(features.mean(dim=0, keepdim=True), dim=-1)
    spread = features - (features @ center.T) * center  # [T, E], at right angles to the center
    mixture = torch.randn(count, len(features), generator=draws).to(features).requires_grad_(True)
    optimizer = torch.optim.Adam([mixture], lr=0.1)
    with torch.enable_grad():
        for _ in range(SEARCH_STEPS):
            away = F.normalize(mixture @ spread, dim=-1)  # [K, E]
            (gradient,) = torch.autograd.grad((away @ away.T).square().sum() / count**2, mixture)
            mixture.grad = gradient
            optimizer.step()
    angle = torch.tensor(angle)
    return F.normalize(angle.cos() * center + angle.sin() * F.normalize(mixture.detach() @ spread, dim=-1), dim=-1)


def _covariance(rows: Tensor) -> Tensor:
    centered = rows - rows.mean(dim=0)
    return centered.T @ centered / len(rows)  # [E, E]
