"""IPL*: the thesis' prompt alignment, which pulls the learned prompts toward sentences that a person wrote.

L = contrastive + lambda_l * (domain + weight * align), where align = mean of 1 - cos between the target
features and the center of the written sentences. The thesis took one list, about Disney, for every target;
here the list belongs to the target, and a reader can give another. Axis letters: N images, P sentences, E embedding.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import prompt_direction
from iplkit.adapt.loop import Plugs
from iplkit.adapt.selectors import make_selector
from iplkit.adapt.stage1 import TextSide, latent_pool, make_context, pool_path, train_mapper
from iplkit.adapt.task import Recipe, Task
from iplkit.clip.prompts import template_anchor
from iplkit.errors import UserError
from iplkit.losses import domain_loss

WEIGHT = 0.2  # the thesis' last value; it began with 0.3
LOOKS = ("glasses", "a beard", "a smile", "an open mouth", "long hair", "short hair", "curly hair", "straight hair")
LOOKS += ("black hair", "brown hair", "red hair", "golden hair", "grey hair", "pale skin", "dark skin")
MOODS = ("young", "happy", "smiling", "sad", "bald", "bearded", "pale", "dark")
FORMS = tuple(f"a photo of a {{}} with {look}" for look in LOOKS) + tuple(f"a photo of a {mood} {{}}" for mood in MOODS)
"""Sentences about persons that suit any class; a list written for one class says more."""


def prompt_list(target: str) -> tuple[str, ...]:
    """Sentences for any target class: its word in each of `FORMS`.

    Raises:
        UserError: if the class word is empty or no text.
    """
    if not isinstance(target, str) or not target.strip():
        raise UserError(f"prompt_list needs a class word; got {target!r}")
    return tuple(form.format(target) for form in FORMS)


def read_prompts(path: str | Path) -> tuple[str, ...]:
    """A reader's list from a text file: one sentence a line; empty lines and lines with # in front are skipped.

    Raises:
        UserError: if there is no such file, it is no text, or `check_prompts` refuses the list.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"prompts need a text file with one sentence a line; {path} cannot be read as one") from error
    return check_prompts([line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")])


def check_prompts(prompts: Sequence[str]) -> tuple[str, ...]:
    """The list itself, if it is one: texts, not empty, none twice (it would count twice).

    Raises:
        UserError: saying which entry is wrong.
    """
    if isinstance(prompts, str) or not prompts:
        raise UserError(f"prompts need to be a list of sentences; got {prompts!r}")
    for index, prompt in enumerate(prompts):
        if not isinstance(prompt, str) or not prompt.strip():
            raise UserError(f"prompts need to be texts that are not empty; number {index + 1} is {prompt!r}")
        if prompt in prompts[:index]:
            raise UserError(f"prompts need to be distinct; {prompt!r} comes twice")
    return tuple(prompts)


@torch.no_grad()
def prompt_anchor(clip: nn.Module, prompts: Sequence[str]) -> Tensor:
    """The center of a list of sentences, ``[1, E]``: the mean of their features on the unit sphere.

    Raises:
        UserError: if the list is wrong, or a word is unknown to this CLIP or too long for it.
    """
    features = clip.encode_text(clip.tokenize(list(check_prompts(prompts))))  # [P, E]
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


def ipl_star(task: Task, prompts: Sequence[str] | None = None, weight: float = WEIGHT) -> Recipe:
    """IPL with prompt alignment in its first stage (the thesis' improved version); the second stage is IPL's.

    Args:
        task: what every method is given.
        prompts: sentences about the target (see `read_prompts`); None takes those of `prompt_list` whose
            words this CLIP knows.
        weight: of the alignment, within lambda_l.
    """
    settings = task.settings
    prompts = known(task.clip, prompt_list(task.target)) if prompts is None else prompts
    align = prompt_alignment(prompt_anchor(task.clip, prompts), weight)
    context = make_context(task.clip, task.source, task.target, settings)
    models = (task.generator_source, task.clip, settings.mapper_pool, task.seed)
    pool = latent_pool(*models, cache=pool_path(task.cache_dir, *models))
    anchors = tuple(template_anchor(task.clip, word, task.templates) for word in (task.source, task.target))
    mapper, log = train_mapper(task.clip, context, pool, anchors, settings, task.seed, task.progress, align=align)
    sides = [TextSide(task.clip, context, which, settings, stage=2) for which in ("source", "target")]
    plugs = Plugs(
        direction=prompt_direction(mapper, *sides),
        anchor=source_anchor(task),
        selector=make_selector(task.clip, task.target, settings, task.seed, task.more),
    )
    return Recipe(plugs, mapper, tuple(log))


def known(clip: nn.Module, prompts: Sequence[str]) -> tuple[str, ...]:
    """Those sentences whose words a CLIP knows.

    Raises:
        UserError: if it knows none of them.
    """

    def reads(prompt: str) -> bool:
        try:
            clip.tokenize([prompt])
        except UserError:
            return False
        return True

    kept = tuple(prompt for prompt in prompts if reads(prompt))
    if not kept:
        raise UserError(f"this CLIP knows the words of none of the {len(prompts)} prompts; it needs a list in words it knows")
    return kept
