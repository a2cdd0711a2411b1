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

from iplkit.adapt.prompt_lists import check_prompts, prompts_of
from iplkit.adapt.settings import AdaptSettings
from iplkit.adapt.task import Task
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


def alignment_term(task: Task) -> Callable[[Tensor], Tensor]:
    """`prompt_alignment` of a task.

    `settings.prompts` are the sentences about the target; empty takes those of `prompt_list` whose words this
    CLIP knows. `settings.align_weight` is the term's weight within lambda_l.
    """
    prompts = prompts_of(task.settings.prompts, task.target, task.clip)
    return prompt_alignment(prompt_anchor(task.clip, prompts), task.settings.align_weight)
