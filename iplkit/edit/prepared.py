"""What a text edit needs before the first text comes: statistics of S, and the relevance of its channels.

With a matrix, relevance to a prompt is one product. Without, it is one backward pass a picture, and each channel's part is
divided by how strongly CLIP answers to the channel at all, which random cotangents tell: so beta means the same in both.

Axis letters: N people, C channels of S, K channels with a relevance, E width of CLIP, P pairs of texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from iplkit.clip.prompts import TEMPLATES
from iplkit.edit.global_directions import GlobalDirection, direction_of
from iplkit.edit.relevance import Eye, Relevance, channel_strengths, prompt_slopes
from iplkit.edit.selection import Beta
from iplkit.edit.statistics import StyleStatistics, style_statistics
from iplkit.edit.texts import random_text_pairs, text_direction
from iplkit.errors import UserError

PEOPLE = 32  # base pictures; published: 100
PAIRS = 200  # random pairs of texts behind a share of false channels


@dataclass
class Prepared:
    """Everything that texts share.

    Args:
        eye: generator and CLIP.
        statistics: of the generator's S.
        codes: style codes of the base people, ``[N, C]``.
        matrix: a relevance matrix, or None to differentiate for each prompt.
        templates: sentences for the texts.
        words: texts of which random pairs are made.
        origin: how all this was made, for the edit's file.
        allow_unknown: see `Clip.tokenize`.
    """

    eye: Eye
    statistics: StyleStatistics
    codes: Tensor
    matrix: Relevance | None = None
    templates: Sequence[str] = TEMPLATES
    words: Sequence[str] = ()
    origin: dict = field(default_factory=dict)
    allow_unknown: bool = False

    def __post_init__(self):
        self._strengths = self._null = None

    def text(self, neutral: str, target: str) -> Tensor:
        """Unit direction of two texts, ``[E]``."""
        return text_direction(self.eye.clip, neutral, target, self.templates, self.allow_unknown)

    @property
    def columns(self) -> Tensor:
        """Channels with a relevance, ``[K]``."""
        return self.eye.space.convolutions if self.matrix is None else self.matrix.columns

    def relevance(self, direction: Tensor) -> Tensor:
        """Of each channel to a direction in CLIP's space, ``[K]``."""
        if self.matrix is not None:
            if self.matrix.rows.shape[1] != len(direction):
                raise UserError(f"the relevance matrix is for a CLIP of width {self.matrix.rows.shape[1]}; this one has {len(direction)}")
            return self.matrix.rows @ direction
        if self._strengths is None:
            self._strengths = channel_strengths(self.eye, self.codes, self.statistics.std)
        slopes = prompt_slopes(self.eye, self.codes, self.statistics.std, direction)
        return (slopes / self._strengths.clamp_min(1e-12))[self.columns]

    def null(self) -> Tensor:
        """Relevance to random pairs of texts, ``[P, K]``; it is linear in the direction, so one look a text is enough."""
        if self._null is None:
            features, weights = random_text_pairs(self.eye.clip, self.words, PAIRS, 0, self.templates, self.allow_unknown)
            self._null = weights.to(features) @ torch.stack([self.relevance(feature) for feature in features])
        return self._null

    def direction(self, neutral: str, target: str, beta: Beta = Beta(0.1)) -> GlobalDirection:
        """The step of a prompt."""
        relevance = self.relevance(self.text(neutral, target))
        return direction_of(relevance, self.columns, self.statistics, beta, self.null() if beta.way == "false" else None)


@torch.no_grad()
def base_codes(generator: nn.Module, people: int = PEOPLE, seed: int = 5, psi: float = 0.7) -> Tensor:
    """Style codes of the people in whose pictures relevance is measured, ``[N, C]``."""
    z = torch.randn(people, generator.config.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.mapping.w_avg.device)
    return torch.cat(list(generator.synthesis.styles(generator.mapping(z, psi)).values()), dim=1)


def prepare(generator: nn.Module, clip: nn.Module, statistics: StyleStatistics | None = None, people: int = PEOPLE, **options) -> Prepared:
    """Get ready for texts, with statistics of its own where none are given."""
    statistics = statistics or style_statistics(generator)
    origin = {"statistics": statistics.origin, "people": people} | options.pop("origin", {})
    return Prepared(Eye(generator, clip), statistics, base_codes(generator, people), origin=origin, **options)
