"""Does a metric follow the truth? Rank correlations over many generators, with intervals, and with strength held.

A metric and a truth that both fall while an adaptation grows stronger correlate, even if the metric sees nothing else.
So each correlation is also given with strength held: what is left when both are freed from the ranks of the strength.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.metrics.auc import ranks, spearman
from iplkit.metrics.bootstrap import percentile_interval
from iplkit.metrics.score import Score
from iplkit.oracle.strengths import at_strength, draw

LEAST_POINTS = 4
LEAST_FAMILIES = 4  # below this there are too few generators to draw again, and single points are drawn instead


def partial_spearman(x: Tensor, y: Tensor, held: Tensor) -> float:
    """Spearman's correlation of x and y with a third number held, ``[N]`` each -> [-1, 1].

    The ranks of x and y are each freed from what a straight line through the ranks of `held` explains. Where nothing
    is left of one of them, the correlation is 0.
    """
    a, b, c = (ranks(v) - ranks(v).mean() for v in (x, y, held))
    scale = c.square().sum().clamp_min(1e-12)
    rest = [v - (v * c).sum() / scale * c for v in (a, b)]
    norms = [v.norm() for v in rest]
    if min(norms) < 1e-6 * len(x):
        return 0.0
    return float((rest[0] * rest[1]).sum() / (norms[0] * norms[1]))


def agreement(
    metric: Tensor, truth: Tensor, strength: Tensor, families: Sequence[str], name: str = "agreement", rounds: int = 500, seed: int = 0
) -> dict[str, Score]:
    """Rank correlation of a metric with a truth over generators, plain and with strength held.

    Points of one adapted generator at several strengths belong together. So whole families are drawn again, if there
    are four or more; a draw of one family alone is drawn anew, since nothing is left in it when strength is held. With
    fewer families single points are drawn, and the interval is too narrow. The settings say which.

    Args:
        metric, truth, strength: ``[N]``, one number a generator.
        families: N names; points of one name come from one adapted generator.
        name: of the scores.
        rounds: resamples.
        seed: which.

    Returns:
        "all" and "strength held": `Score` in [-1, 1] with its 95 % percentile interval.

    Raises:
        UserError: fewer than 4 points, or rows of different length.
    """
    n = len(metric)
    if not n == len(truth) == len(strength) == len(families) or n < LEAST_POINTS:
        raise UserError(f"an agreement needs {LEAST_POINTS} points or more in rows of one length; got {n}, {len(truth)}, {len(strength)} and {len(families)}")
    statistics: dict[str, Callable[[Tensor], float]] = {
        "all": lambda rows: spearman(metric[rows], truth[rows]).item(),
        "strength held": lambda rows: partial_spearman(metric[rows], truth[rows], strength[rows]),
    }
    groups = _groups(families)
    g = torch.Generator().manual_seed(seed)
    draws = [torch.cat([groups[i] for i in _picks(len(groups), g)]) for _ in range(rounds)]
    unit = "families" if len(groups) < n else "points"
    found = {}
    for kind, statistic in statistics.items():
        values = torch.tensor([statistic(rows) for rows in draws], dtype=torch.float64)
        settings = {"points": n, "families": len(set(families)), "resampled": unit, "rounds": rounds, "seed": seed}
        found[kind] = Score(f"{name}, {kind}", statistic(torch.arange(n)), values.std().item(), 0, n, settings, interval=percentile_interval(values))
    return found


def _picks(n: int, generator: torch.Generator) -> Tensor:
    """n draws with replacement that are not all the same, ``[n]``; n at least 4."""
    while True:
        picks = torch.randint(n, (n,), generator=generator)
        if len(picks.unique()) > 1:
            return picks


def _groups(families: Sequence[str]) -> list[Tensor]:
    names = list(dict.fromkeys(families))
    if len(names) < LEAST_FAMILIES:
        return [torch.tensor([i]) for i in range(len(families))]
    return [torch.tensor([i for i, family in enumerate(families) if family == name]) for name in names]


def sweep(
    source: nn.Module, adapted: dict[str, nn.Module], strengths: Sequence[float], z: Tensor,
    measure: Callable[[str, Tensor], dict[str, float]],
) -> list[dict]:  # fmt: skip
    """Measure adapted generators at many strengths, on the same latents and noise.

    Args:
        source: where all adaptations started.
        adapted: name -> generator at strength 1.
        strengths: from 0 up. Strength 0 is the source itself, once for each name.
        z: latents ``[N, z_dim]``.
        measure: name of the family and pictures ``[N, 3, S, S]`` -> named numbers.

    Returns:
        One row a generator: "family", "strength", and the numbers.
    """
    rows = []
    for name, generator in adapted.items():
        for strength in strengths:
            pictures = draw(at_strength(source, generator, strength), z)
            rows.append({"family": name, "strength": float(strength)} | measure(name, pictures))
    return rows
