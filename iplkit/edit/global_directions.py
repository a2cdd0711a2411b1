"""StyleCLIP's global directions: from two texts to one step in S, the same for everybody.

Patashnik et al. 2021, "StyleCLIP", Sec. 6. The relevance of each channel to the text's direction is cut at beta, divided by its
largest and multiplied by the channel's spread, so that strength 1 moves the strongest channel by one standard deviation.

Axis letters: N people, C channels of S, K channels with a relevance, E width of CLIP.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iplkit.edit.relevance import BATCH
from iplkit.edit.selection import Beta, select, threshold
from iplkit.edit.statistics import StyleStatistics
from iplkit.errors import UserError


@dataclass(frozen=True)
class GlobalDirection:
    """One edit's step.

    Args:
        delta: what strength 1 adds to S, ``[C]``; 0 on ToRGB and on every channel not taken.
        relevance: of the channels with one, ``[K]``.
        columns: which these are, ``[K]``.
        beta: the threshold as a number.
    """

    delta: Tensor
    relevance: Tensor
    columns: Tensor
    beta: float

    @property
    def taken(self) -> Tensor:
        """Columns that move, the strongest first."""
        mask = self.relevance.abs() >= self.beta
        order = self.relevance[mask].abs().argsort(descending=True, stable=True)
        return self.columns[mask][order]


def global_direction(
    rows: Tensor, columns: Tensor, direction: Tensor, statistics: StyleStatistics, beta: Beta = Beta(0.1), null: Tensor | None = None, scaled: bool = True
) -> GlobalDirection:
    """The step of a text.

    Args:
        rows: the relevance matrix, ``[K, E]``.
        columns: its channels, ``[K]``.
        direction: of the text, unit, ``[E]``.
        statistics: of the generator's S.
        beta: see `Beta`.
        null: directions of random pairs of texts, ``[P, E]``; needed where beta is a share of false channels.
        scaled: whether strength counts in standard deviations. False is PaddleGAN's way: each channel in its own units.

    Raises:
        UserError: a matrix of another width or height, or no channel left.
    """
    if rows.shape != (len(columns), len(direction)):
        raise UserError(f"the matrix needs {len(columns)} rows of {len(direction)} numbers, one a channel and as wide as CLIP; it has {tuple(rows.shape)}")
    return direction_of(rows @ direction, columns, statistics, beta, None if null is None else null @ rows.T, scaled)


def direction_of(
    relevance: Tensor, columns: Tensor, statistics: StyleStatistics, beta: Beta = Beta(0.1), null: Tensor | None = None, scaled: bool = True
) -> GlobalDirection:
    """The step of channels whose relevance to the prompt is known; see `global_direction`.

    Args:
        relevance: ``[K]``, for example of `iplkit.edit.relevance.prompt_slopes`.
        columns, statistics, beta, scaled: see `global_direction`.
        null: relevance to random pairs of texts, ``[P, K]``.
    """
    at = threshold(relevance, beta, null)
    mask = select(relevance, at)
    kept = torch.where(mask, relevance / relevance.abs().max(), 0.0)
    delta = torch.zeros_like(statistics.std)
    delta[columns] = kept * (statistics.std[columns] if scaled else 1.0)
    return GlobalDirection(delta, relevance, columns, at)


@torch.no_grad()
def draw_edit(generator: nn.Module, codes: Tensor, delta: Tensor, alphas: Sequence[float] | Tensor, noise_mode: str = "const") -> Tensor:
    """Pictures at some strengths.

    Args:
        generator: whose S.
        codes: ``[N, C]``.
        delta: ``[C]``.
        alphas: A strengths, in standard deviations of the strongest channel.
        noise_mode: see `Synthesis.from_styles`.

    Returns:
        ``[N, A, 3, H, W]``, cut to [-1, 1].
    """
    from iplkit.edit.style_space import style_space

    space = style_space(generator.config)
    alphas = torch.as_tensor(alphas, dtype=codes.dtype)
    moved = (codes[:, None] + alphas[:, None] * delta).flatten(0, 1)
    images = [generator.synthesis.from_styles(space.named(part), noise_mode).clamp(-1, 1) for part in moved.split(BATCH)]
    return torch.cat(images).unflatten(0, (len(codes), len(alphas)))
