"""How much a score would change with other latents: draw the images again, with replacement, and compute it anew.

Efron and Tibshirani 1993, "An Introduction to the Bootstrap", Ch. 13 (percentile intervals). Rows that come from one
latent are drawn together.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score

Sets = Sequence[Tensor | tuple[Tensor, ...]]


def resample_counts(n: int, rounds: int, generator: torch.Generator) -> Tensor:
    """How often each of n rows is drawn in n draws with replacement, ``[rounds, n]`` float64, rows that sum to n."""
    picks = torch.randint(n, (rounds, n), generator=generator)
    return torch.zeros(rounds, n, dtype=torch.float64).scatter_add_(1, picks, torch.ones(rounds, n, dtype=torch.float64))


def percentile_interval(values: Tensor, level: float = 0.95) -> tuple[float, float]:
    """The middle `level` of the values, ``[R]`` -> low and high."""
    tail = (1 - level) / 2
    low, high = values.double().quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def _groups(sets: Sets) -> list[tuple[Tensor, ...]]:
    groups = [group if isinstance(group, tuple) else (group,) for group in sets]
    for group in groups:
        lengths = [len(rows) for rows in group]
        if len(set(lengths)) != 1 or lengths[0] < 2:
            raise UserError(f"a bootstrap needs sets of at least 2 rows, and paired sets of one length; got {lengths}")
    return groups


def bootstrap(
    metric: Callable[..., Score], sets: Sets, rounds: int = 1000, seed: int = 0, *, level: float = 0.95, centered: bool = True
) -> Score:
    """A score with its bootstrap interval.

    Distances are larger on a resample than on the set itself, because it repeats images: FID's resamples can all lie
    above FID. What is trusted is therefore how they scatter, not where: their mean is moved onto the score before the
    percentiles are taken. For a mean over images (SCS, ID) there is nothing to move.

    Args:
        metric: tensors -> `Score`, such as ``lambda real, fake: fid(real, fake, low_rank=True)``.
        sets: one entry per independent set. A tuple of tensors is paired: row i of each belongs to one latent, and
            they are drawn together. The metric gets all tensors in this order.
        rounds: how often the sets are drawn again, at least 20; 1000 for an interval to print.
        seed: which draws.
        level: of the interval.
        centered: False gives the plain percentiles.

    Returns:
        The score of the sets as they are, with `interval`. Settings also get "bootstrap": rounds, seed, level, and
        "bias": how far the mean of the resamples lies above the score. `spread` is their standard deviation.

    Raises:
        UserError: fewer than 20 rounds, sets of one row, or pairs of different lengths.

    Example:
        ``bootstrap(identity, [(source, target)])`` draws latents; ``bootstrap(kid, [real, fake])`` draws both sets.
    """
    if rounds < 20 or not 0 < level < 1:
        raise UserError(f"a bootstrap needs at least 20 rounds and a level between 0 and 1; got {rounds} and {level}")
    groups = _groups(sets)
    score = metric(*(rows for group in groups for rows in group))
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(rounds):
        picks = [torch.randint(len(group[0]), (len(group[0]),), generator=generator) for group in groups]
        drawn = [rows[pick.to(rows.device)] for group, pick in zip(groups, picks) for rows in group]
        values.append(metric(*drawn).value)
    found = torch.tensor(values, dtype=torch.float64)
    bias = found.mean().item() - score.value
    interval = percentile_interval(found - bias if centered else found, level)
    settings = {"rounds": rounds, "seed": seed, "level": level, "centered": centered, "bias": bias}
    return replace(score, spread=found.std().item(), interval=interval, settings=score.settings | {"bootstrap": settings})
