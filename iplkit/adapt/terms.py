"""The three further terms of StyleGAN-NADA's code, all off by default: global, patch, manifold.

The published code multiplies each by its weight and adds it to the directional loss. There, the
global term stops with a TypeError, and the patch term fails below 510 px because the patch is that large.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.adapt.directions import image_direction
from iplkit.adapt.draws import draw
from iplkit.adapt.regularizers import Regularizer, Step
from iplkit.adapt.task import Task
from iplkit.clip.prompts import template_anchor, template_features
from iplkit.errors import UserError
from iplkit.losses import clip_similarity_loss, template_direction

PARTS = (
    "the eyes of a {}", "an eye of the {}", "the nose of a {}", "the mouth of a {}", "the lips of the {}",
    "the teeth of a {}", "the chin of a {}", "the ears of a {}", "an ear of the {}", "the hair of a {}",
    "the brows of a {}", "the skin of the {}", "a cheek of a {}", "the neck of a {}", "the head of the {}",
)  # fmt: skip
"""Fifteen parts of a face. As many as in the published code, whose parts are an animal's (paws, fangs, fur)."""


def terms(task: Task) -> tuple[Regularizer, ...]:
    """The terms whose weight in the settings is not 0."""
    s = task.settings
    makers = ((global_term, s.lambda_global), (patch_term, s.lambda_patch), (manifold_term, s.lambda_manifold))
    return tuple(make(task, weight) for make, weight in makers if weight)


def global_term(task: Task, weight: float) -> Regularizer:
    """Pull each adapted image to the sentence "a {target}": 1 - cos (Gal et al. 2022, Sec. 3, "global loss")."""
    with torch.no_grad():
        text = task.clip.encode_text(task.clip.tokenize([f"a {task.target}"]))  # [1, E]
    return lambda step: weight * clip_similarity_loss(step.image_target, text)


def manifold_term(task: Task, weight: float) -> Regularizer:
    """Turn each image by the angle that lies between the two words: |cos(I_s, I_t) - cos(T_s, T_t)|.

    In the published code, not in the paper of StyleGAN-NADA; there "angle" and "manifold" loss. The
    words are centers over the templates, and every source image is compared with every adapted one.
    """
    source, target = (template_anchor(task.clip, word, task.templates) for word in (task.source, task.target))
    wanted = F.cosine_similarity(source, target)  # [1]

    def regularizer(step: Step) -> Tensor:
        cosines = F.normalize(step.image_target, dim=-1) @ F.normalize(step.image_source, dim=-1).T  # [N, N]
        return weight * (cosines - wanted).abs().mean()

    return regularizer


def patch_term(task: Task, weight: float) -> Regularizer:
    """Move random patches along the direction of the part of a face that they show most of.

    In the published code, not in the paper of StyleGAN-NADA. Each patch is compared with the directions
    of all `PARTS`; a softmax over their cosines says which part it is. The same window is cut from both images.

    Raises:
        UserError: if this CLIP knows the words of no part.
    """
    texts = torch.cat([_part_direction(task, part) for part in _known_parts(task)])  # [P, E]
    s, seed = task.settings, task.look.seed
    floor = 1e-12 if s.has("no_guard") else s.floor

    def features(images: Tensor, step: int) -> Tensor:
        with task.look.autocast(images.device):
            return task.clip.encode_image(crops(images, s.patch_share, s.patches, draw(seed, "patches", step))).float()

    def regularizer(step: Step) -> Tensor:
        with torch.no_grad():
            before = features(step.images_source, step.step)
        delta = image_direction(before, features(step.images_target, step.step), floor)  # [N * patches, E]
        cosines = delta @ texts.T  # [N * patches, P]
        return weight * ((1 - cosines) * cosines.softmax(dim=-1)).mean()

    return regularizer


def crops(images: Tensor, share: float, count: int, draws: torch.Generator) -> Tensor:
    """Random square windows that lie inside the image, each image its own.

    Args:
        images: `[N, 3, H, H]`.
        share: the window's side, share of the image's; (0, 1].
        count: windows of each image.
        draws: where the places come from. Two image sets and equal draws give the same places.

    Returns:
        `[N * count, 3, S, S]`; the windows of one image follow each other.
    """
    images = images.repeat_interleave(count, dim=0)
    side = max(1, round(share * images.shape[-1]))
    corners = torch.randint(0, images.shape[-1] - side + 1, (len(images), 2), generator=draws, device=draws.device).tolist()
    return torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(images, corners, strict=True)])


def _part_direction(task: Task, part: str) -> Tensor:
    start, end = (template_features(task.clip, part.format(word), task.templates) for word in (task.source, task.target))
    return template_direction(start, end)  # [1, E]


def _known_parts(task: Task) -> list[str]:
    known = []
    for part in PARTS:
        try:
            task.clip.tokenize([part.format(task.source)])
        except UserError:
            continue
        known.append(part)
    if not known:
        raise UserError("lambda_patch needs a CLIP that knows the words of at least one part of a face; this one knows none")
    return known
