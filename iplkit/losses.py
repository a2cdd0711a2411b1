"""CLIP losses that lead a generator, or a prompt, from a source domain to a target domain.

All are pure functions of features as CLIP gives them, not normalized; each puts them on the unit
sphere itself, so a caller cannot forget to. Axis letters: N images, T templates, E embedding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError


def direction(start: Tensor, end: Tensor, eps: float = 1e-7, guard: float = 0.0) -> Tensor:
    """Unit vector from one CLIP feature to another, ``[..., E]`` -> ``[..., E]``.

    Where the two coincide there is no direction: the result is 0, and its gradient is about ``1 / eps``.

    Args:
        start, end: features.
        eps: added to the length. The published code has none, ``eps=0``: equal features give NaN.
        guard: moves on the unit sphere shorter than this count as no move, with gradient 0.
    """
    delta = F.normalize(end, dim=-1) - F.normalize(start, dim=-1)
    length = delta.norm(dim=-1, keepdim=True)
    if guard > 0:
        short = length < guard
        return torch.where(short, 0.0, delta / torch.where(short, 1.0, length + eps))
    return delta / (length + eps)


def template_direction(source: Tensor, target: Tensor) -> Tensor:
    """NADA's one text direction: the mean of the moves in all templates, made unit length.

    Args:
        source, target: features of the same T sentences with either class word, ``[T, E]``.

    Returns:
        ``[1, E]``.
    """
    delta = (F.normalize(target, dim=-1) - F.normalize(source, dim=-1)).mean(dim=0, keepdim=True)
    return F.normalize(delta, dim=-1)


def alignment_loss(
    image_source: Tensor, image_target: Tensor, text_direction: Tensor, eps: float = 1e-7, guard: float = 0.0
) -> Tensor:
    r"""How far images move off a given direction: :math:`1 - \cos(\Delta I, \Delta T)`, a scalar in [0, 2].

    Args:
        image_source: features of the frozen generator's images, ``[N, E]``.
        image_target: features of the trained generator's images of the same latents, ``[N, E]``.
        text_direction: unit vectors, ``[N, E]``, or ``[1, E]`` shared by the batch.
        eps, guard: as `direction`.

    Note:
        On the first step both generators are equal. If their noise is equal too, there is no image
        direction, and the first gradient is millions of times too large. Adam remembers its square:
        hundreds of steps hardly move anything, with no error and no NaN. Give each generator its
        own noise. `guard` only removes the blow; equal images then give no gradient at all.
    """
    delta_image = direction(image_source, image_target, eps, guard)  # [N, E]
    return (1 - (delta_image * text_direction).sum(dim=-1)).mean()


def directional_loss(
    image_source: Tensor,
    image_target: Tensor,
    text_source: Tensor,
    text_target: Tensor,
    eps: float = 1e-7,
    guard: float = 0.0,
) -> Tensor:
    """Make images move through CLIP space the way the sentences do.

    One pair of sentences for the batch is StyleGAN-NADA (Gal et al. 2022, Sec. 4); one pair for each
    image is IPL (Guo et al. 2023, Sec. 3). The shape of the text features is the whole difference.

    Args:
        image_source, image_target, eps, guard: as `alignment_loss`, whose note matters here.
        text_source, text_target: text features, ``[N, E]``, or ``[1, E]`` shared by the batch.

    Returns:
        Scalar in [0, 2]: 0 the same way, 1 at right angles, 2 opposite.
    """
    return alignment_loss(image_source, image_target, direction(text_source, text_target), eps, guard)


def thesis_directional_loss(
    image_source: Tensor,
    image_target: Tensor,
    text_source: Tensor,
    text_target: Tensor,
    base: Tensor,
    center: Tensor,
    eps: float = 1e-7,
    guard: float = 0.0,
) -> Tensor:
    """The thesis' second stage, version 2 (`clip_directional_loss_v2`): the target leans on a list of sentences.

    IPL adds the feature of the manual prompt to both learned sentences. Here the target gets the center of a
    written list instead. The center is at most of length 1, the manual prompt's feature as long as CLIP makes it:
    the direction then also leads away from the manual prompt, the same way for all images. A later version
    of the thesis went back to `directional_loss`.

    Args:
        image_source, image_target, eps, guard: as `directional_loss`.
        text_source, text_target: features of the learned sentences, ``[N, E]``.
        base: feature of the manual prompt, not normalized, ``[1, E]``.
        center: mean of the list's features on the unit sphere (`iplkit.adapt.alignment.prompt_anchor`), ``[1, E]``.

    Returns:
        Scalar in [0, 2].
    """
    return directional_loss(image_source, image_target, text_source + base, text_target + center, eps, guard)


def clip_similarity_loss(image: Tensor, text: Tensor) -> Tensor:
    """Mean of 1 - cos between images ``[N, E]`` and sentences ``[N, E]`` or ``[1, E]``; in [0, 2].

    Alone it rewards any picture that CLIP likes, and all pictures may become one (Gal et al. 2022, Sec. 3).
    """
    return (1 - F.cosine_similarity(image, text, dim=-1)).mean()


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor | float) -> Tensor:
    """Symmetric InfoNCE: each image shall find its own sentence among the batch's, and the reverse.

    Args:
        image, text: features, ``[N, E]``; row i of one belongs to row i of the other.
        scale: inverse temperature; 100 in the published CLIP.

    Returns:
        Scalar, 0 or more; about log N when all rows look alike.

    Raises:
        UserError: if there are fewer than two pairs, or the shapes differ.
    """
    if image.shape != text.shape or len(image) < 2:
        raise UserError(
            f"contrastive_loss needs two equal shapes [N, E] with N of 2 or more; "
            f"got {tuple(image.shape)} and {tuple(text.shape)}"
        )
    logits = scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T  # [N, N]
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def domain_loss(features: Tensor, anchor: Tensor) -> Tensor:
    """Hold learned sentences ``[N, E]`` near the center of their domain ``[1, E]``: mean of 1 - cos."""
    return (1 - F.cosine_similarity(features, anchor, dim=-1)).mean()


def ipl_stage1_loss(
    image_features: Tensor,
    source_prompt_features: Tensor,
    target_prompt_features: Tensor,
    base_source: Tensor,
    base_target: Tensor,
    anchor_source: Tensor,
    anchor_target: Tensor,
    scale: Tensor | float,
    lambda_l: float = 1.0,
    lambda_src: float = 0.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """What IPL's mapper learns from: prompts that tell images apart, and stay in their domain.

    The published code, not the formula of the paper (Guo et al. 2023, Sec. 3.2): InfoNCE at CLIP's
    temperature, and the feature of a hand-written sentence added to each learned one, both at the
    length that CLIP gave them. Note that `lambda_src` acts inside `lambda_l`.

    Args:
        image_features: the frozen generator's images, ``[N, E]``; constants.
        source_prompt_features, target_prompt_features: learned sentences, ``[N, E]``, not normalized.
        base_source, base_target: hand-written sentences, ``[1, E]``, not normalized.
        anchor_source, anchor_target: template centers of the two domains, ``[1, E]``.
        scale: as `contrastive_loss`.
        lambda_l: weight of both domain terms.
        lambda_src: weight of the source term within them.

    Returns:
        The loss, and its unweighted parts "contrastive", "domain", "source", detached.
    """
    source = source_prompt_features + base_source  # [N, E]
    target = target_prompt_features + base_target
    contrastive = contrastive_loss(image_features.detach(), source, scale)
    domain = domain_loss(target, anchor_target)
    source_domain = domain_loss(source, anchor_source)
    total = contrastive + lambda_l * (domain + lambda_src * source_domain)
    return total, dict(contrastive=contrastive.detach(), domain=domain.detach(), source=source_domain.detach())
