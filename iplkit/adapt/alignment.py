"""IPL*: the thesis' prompt alignment, which pulls the learned prompts toward sentences that a person wrote.

L = contrastive + lambda_l * (domain + weight * align), where align = mean of 1 - cos between the target
features and the center of the written sentences. The thesis took one list, about Disney, for every target;
here the list belongs to the target (see `prompt_lists`), and a reader can give another.
Axis letters: N images, P sentences, E embedding.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import prompt_direction
from iplkit.adapt.loop import Plugs
from iplkit.adapt.prompt_lists import check_prompts, known, prompt_list
from iplkit.adapt.selectors import make_selector
from iplkit.adapt.settings import AdaptSettings
from iplkit.adapt.stage1 import TextSide, latent_pool, make_context, pool_path, train_mapper
from iplkit.adapt.task import Recipe, Task
from iplkit.clip.prompts import template_anchor
from iplkit.errors import UserError
from iplkit.losses import domain_loss

WEIGHT = AdaptSettings.align_weight


@torch.no_grad()
def prompt_anchor(clip: nn.Module, prompts: Sequence[str]) -> Tensor:
    """The center of a list of sentences, ``[1, E]``: the mean of their features on the unit sphere.

    Raises:
        UserError: if the list is wrong, or a word is unknown to this CLIP or too long for it.
    """
    features = clip.encode_text(clip.tokenize(list(check_prompts(prompts, clip))))  # [P, E]
    return F.normalize(features, dim=-1).mean(dim=0, keepdim=True)


def prompt_alignment(anchor: Tensor, weight: float = WEIGHT) -> Callable[[Tensor], Tensor]:
    """The further term for `train_mapper`: weight * mean of 1 - cos(target features, anchor).

    The thesis' second version put this in the place of the domain term; for that, give `anchor` to
    `train_mapper` as the target's anchor, and no further term.

    Args:
        anchor: `prompt_anchor` of the target's list, ``[1, E]``.
        weight: share within lambda_l; 0 is IPL.

    Raises:
        UserError: if the weight is negative.
    """
    if weight < 0:
        raise UserError(f"the weight of the prompt alignment must not be negative; got {weight}")
    return lambda features: weight * domain_loss(features, anchor)


def ipl_star(task: Task) -> Recipe:
    """IPL with prompt alignment in its first stage (the thesis' improved version); the second stage is IPL's.

    `settings.prompts` are the sentences about the target; empty takes those of `prompt_list` whose words this
    CLIP knows. `settings.align_weight` is the term's weight within lambda_l.
    """
    settings = task.settings
    prompts = settings.prompts or known(task.clip, prompt_list(task.target))
    align = prompt_alignment(prompt_anchor(task.clip, prompts), settings.align_weight)
    context = make_context(task.clip, task.source, task.target, settings)
    models = (task.generator_source, task.clip, settings.mapper_pool, task.seed)
    pool = latent_pool(*models, cache=pool_path(task.cache_dir, *models))
    anchors = tuple(template_anchor(task.clip, word, task.templates) for word in (task.source, task.target))
    mapper, log = train_mapper(task.clip, context, pool, anchors, settings, task.seed, task.progress, align=align, keep=task.keep)
    sides = [TextSide(task.clip, context, which, settings, stage=2) for which in ("source", "target")]
    plugs = Plugs(
        direction=prompt_direction(mapper, *sides),
        anchor=source_anchor(task),
        selector=make_selector(task.clip, task.target, settings, task.seed, task.more),
    )
    return Recipe(plugs, mapper, tuple(log))
