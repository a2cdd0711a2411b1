"""From two texts to one direction in CLIP's space.

Patashnik et al. 2021, "StyleCLIP", Sec. 6: each text stands in many sentences, their unit features are averaged and made
unit; the direction is the unit difference of target and neutral text. Axis letters: E width of CLIP, P pairs.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.clip.prompts import TEMPLATES, template_features
from iplkit.errors import UserError

LEAST = 0.02  # length of the difference below which CLIP cannot tell two texts apart; "face" and "smiling face" are 0.3 to 0.6 apart


def text_feature(clip: nn.Module, text: str, templates: Sequence[str] = TEMPLATES, allow_unknown: bool = False) -> Tensor:
    """Unit feature of a text, the middle of its sentences, ``[E]``."""
    return F.normalize(template_features(clip, text, templates, allow_unknown).mean(0), dim=0)


def text_direction(clip: nn.Module, neutral: str, target: str, templates: Sequence[str] = TEMPLATES, allow_unknown: bool = False) -> Tensor:
    """Unit direction from a neutral text to a target text, ``[E]``.

    Args:
        clip: reads the texts.
        neutral: what is there, for example "face".
        target: what shall be, for example "smiling face".
        templates: sentences with ``{}``.
        allow_unknown: see `Clip.tokenize`.

    Raises:
        UserError: a word that this CLIP does not know, or two texts that it cannot tell apart.
    """
    difference = text_feature(clip, target, templates, allow_unknown) - text_feature(clip, neutral, templates, allow_unknown)
    length = float(difference.norm())
    if length < LEAST:
        raise UserError(f"a direction needs two texts that CLIP can tell apart; {neutral!r} and {target!r} are {length:.2g} apart, and at least {LEAST} is needed")
    return difference / length


def random_text_pairs(clip: nn.Module, texts: Sequence[str], pairs: int, seed: int = 0, templates: Sequence[str] = TEMPLATES, allow_unknown: bool = False) -> tuple[Tensor, Tensor]:
    """Unit features of texts, ``[T, E]``, and P random pairs of them as unit differences: ``weights @ features``, ``[P, T]``.

    Whatever is linear in a direction need only be known for the T texts.

    Raises:
        UserError: fewer than 3 texts.
    """
    if len(texts) < 3:
        raise UserError(f"random pairs need at least 3 texts; got {len(texts)}")
    features = torch.stack([text_feature(clip, text, templates, allow_unknown) for text in texts])
    rng = torch.Generator().manual_seed(seed)
    first = torch.randint(len(texts), (pairs,), generator=rng)
    other = (first + torch.randint(1, len(texts), (pairs,), generator=rng)) % len(texts)
    one = torch.eye(len(texts))
    length = (features[first] - features[other]).norm(dim=1, keepdim=True).clamp_min(1e-12).cpu()
    return features, (one[first] - one[other]) / length


def random_text_directions(clip: nn.Module, texts: Sequence[str], pairs: int, seed: int = 0, templates: Sequence[str] = TEMPLATES) -> Tensor:
    """Unit directions between texts drawn at random, ``[P, E]``: what a prompt without a meaning of its own looks like."""
    features, weights = random_text_pairs(clip, texts, pairs, seed, templates)
    return weights.to(features) @ features
