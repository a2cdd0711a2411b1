"""What the studies of text edits share: models, people, prompts, and who judges.

CLIP chooses, on people of their own (`HELD`); the fit through the renderer and the identity network judge, on others (`TOLD`),
and choose nothing.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.edit.prepared import base_codes
from iplkit.edit.relevance import Eye
from iplkit.edit.statistics import StyleStatistics, style_statistics
from iplkit.edit.texts import text_direction, text_feature
from iplkit.world.words import WORLD_TEMPLATES

BASE, HELD, TOLD = 5, 6, 7  # seeds of the people in whose pictures relevance is measured, of those who choose, of those who are judged


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
    Prompt("glasses", "face without glasses", "face with glasses", "glasses", 1),
    Prompt("long hair", "head with short hair", "head with long hair", "hair_length", 1),
    Prompt("curly hair", "face with straight hair", "face with curly hair", "curl", 1),
    Prompt("golden hair", "face with black hair", "face with golden hair", "hair_color", 1),
    Prompt("old", "young face", "old face", "age", 1),
)


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

    def text(self, prompt: Prompt) -> Tensor:
        """The prompt's direction, ``[E]``."""
        return text_direction(self.model("clip"), prompt.neutral, prompt.target, WORLD_TEMPLATES)

    def preference(self, features: Tensor, prompt: Prompt) -> Tensor:
        """How surely CLIP says target and not neutral, ``[N]`` in [0, 1]."""
        clip = self.model("clip")
        texts = torch.stack([text_feature(clip, text, WORLD_TEMPLATES) for text in (prompt.neutral, prompt.target)])
        return (clip.scale * features @ texts.T).softmax(1)[:, 1]


def cosine(a: Tensor, b: Tensor) -> float:
    """Of two vectors."""
    return float(F.cosine_similarity(a, b, dim=0))
