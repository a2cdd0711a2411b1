"""What the studies of text edits share: models, people, prompts, and who judges.

Steps come from CLIP, on people of their own (`BASE`). How they are made and how far they go is chosen on others (`HELD`). The fit
through the renderer and the identity network judge, on others again (`TOLD`), none of whom took part in a choice.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.edit.held import change_gram
from iplkit.edit.prepared import base_codes
from iplkit.edit.relevance import Eye, channel_strengths, prompt_slopes
from iplkit.edit.statistics import StyleStatistics, style_statistics
from iplkit.edit.texts import text_direction
from iplkit.world.words import WORLD_TEMPLATES

BASE, HELD, TOLD = 5, 6, 8  # seeds of the people in whose pictures relevance is measured, of those on whom ways are chosen, of those who are judged


@dataclass(frozen=True)
class Prompt:
    """One text edit and the factor that it asks for.

    Args:
        name: for tables.
        neutral, target: texts.
        factor: of the world.
        way: +1 if the factor shall grow, -1 if it shall shrink.
    """

    name: str
    neutral: str
    target: str
    factor: str
    way: int


PROMPTS = (
    Prompt("happy", "sad face", "happy face", "smile", 1),
    Prompt("sad", "happy face", "sad face", "smile", -1),
    Prompt("angry", "sad face", "angry face", "brow", -1),
    Prompt("open mouth", "face", "face with an open mouth", "mouth_open", 1),
    Prompt("glasses", "face without glasses", "face with glasses", "glasses", 1),
    Prompt("no glasses", "face with glasses", "face without glasses", "glasses", -1),
    Prompt("beard", "face without a beard", "face with a beard", "beard", 1),
    Prompt("long hair", "head with short hair", "head with long hair", "hair_length", 1),
    Prompt("short hair", "head with long hair", "head with short hair", "hair_length", -1),
    Prompt("bald", "head with long hair", "bald head", "hair_length", -1),
    Prompt("curly hair", "head with straight hair", "head with curly hair", "curl", 1),
    Prompt("straight hair", "head with curly hair", "head with straight hair", "curl", -1),
    Prompt("golden hair", "face with black hair", "face with golden hair", "hair_color", 1),
    Prompt("old", "young face", "old face", "age", 1),
    Prompt("young", "old face", "young face", "age", -1),
    Prompt("boy", "man", "boy", "age", -1),
    Prompt("woman", "man", "woman", "femininity", 1),
    Prompt("dark skin", "face with pale skin", "face with dark skin", "skin_tone", 1),
    Prompt("pale skin", "face with dark skin", "face with pale skin", "skin_tone", -1),
)
"""Every text that was tried: the source's six and the world's further words, all of them in the table."""


@dataclass
class Bench:
    """Models and scale.

    Args:
        n: people a condition.
        base: people in whose pictures relevance is measured.
    """

    n: int = 20
    base: int = 24

    @cached_property
    def eye(self) -> Eye:
        """Generator and CLIP."""
        return Eye(self.model("generator"), self.model("clip"))

    @cached_property
    def statistics(self) -> StyleStatistics:
        """Of S."""
        return style_statistics(self.model("generator"))

    def model(self, name: str) -> nn.Module:
        """A frozen model."""
        self.__dict__.setdefault("loaded", {})
        if name not in self.loaded:
            self.loaded[name] = zoo.load(name)
        return self.loaded[name]

    def codes(self, seed: int, n: int | None = None) -> Tensor:
        """Style codes of people of a seed, ``[n, C]``."""
        return base_codes(self.model("generator"), n or self.n, seed)

    @cached_property
    def strengths(self) -> Tensor:
        """How strongly CLIP answers to each channel of a convolution, ``[K]``."""
        found = channel_strengths(self.eye, self.codes(BASE, self.base), self.statistics.std)
        return found[self.eye.space.convolutions].clamp_min(1e-12)

    @cached_property
    def gram(self) -> Tensor:
        """See `iplkit.edit.held.change_gram`."""
        return change_gram(self.eye, self.codes(BASE, self.base), self.statistics.std, self.eye.space.convolutions)

    def slopes(self, prompt: Prompt) -> Tensor:
        """Of the convolutions' channels, ``[K]``; kept."""
        kept = self.__dict__.setdefault("sloped", {})
        if prompt not in kept:
            found = prompt_slopes(self.eye, self.codes(BASE, self.base), self.statistics.std, self.text(prompt))
            kept[prompt] = found[self.eye.space.convolutions]
        return kept[prompt]

    def others(self, prompt: Prompt) -> Tensor:
        """Slopes of one text for each other factor that a text can name, ``[T, K]``: the first of `PROMPTS` that asks for it."""
        first = {p.factor: p for p in reversed(PROMPTS)}
        return torch.stack([self.slopes(p) for factor, p in first.items() if factor != prompt.factor])

    def text(self, prompt: Prompt) -> Tensor:
        """The prompt's direction, ``[E]``."""
        return text_direction(self.model("clip"), prompt.neutral, prompt.target, WORLD_TEMPLATES)


def cosine(a: Tensor, b: Tensor) -> float:
    """Of two vectors."""
    return float(F.cosine_similarity(a, b, dim=0))
