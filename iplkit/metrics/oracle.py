"""What an impartial judge says of a set of images, how sure a rate is, and how two lists of people agree.

Pure functions of numbers; `iplkit.oracle` reads the factors of pictures and brings both together.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score


def binomial_error(rate: float, n: int) -> float:
    """Standard error of a rate seen on n images."""
    return math.sqrt(max(rate * (1 - rate), 0.0) / n)


def wilson_interval(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a rate, sensible at 0 and at 1 too. Wilson 1927.

    Args:
        hits: how many of the n.
        n: how many looked at, at least 1.
        z: normal quantile; the default is two-sided 95 %.
    """
    if not 0 <= hits <= n or n < 1:
        raise UserError(f"a rate needs 0 <= hits <= n and n >= 1; got {hits} of {n}")
    rate, square = hits / n, z * z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == n else min(1.0, middle + half)


def rate_score(name: str, hits: Tensor, **settings) -> Score:
    """A rate from yes and no, ``[N]`` bool, with its Wilson interval."""
    count, n = int(hits.sum()), len(hits)
    interval = wilson_interval(count, n)
    settings = {**settings, "interval": list(interval)}
    return Score(name, count / n, binomial_error(count / n, n), 0, n, settings, interval=interval, protocol="Wilson's interval")


def called(domain_probs: Tensor, domain: int) -> Score:
    """Share of images that the judge gives to one domain, by its largest probability.

    The judge's last class means "none of them" (noise, blur, half a style): it is a class like the others, so such
    an image counts as a failure.

    Args:
        domain_probs: ``[N, C]``, probabilities or logits.
        domain: index of the wanted domain.
    """
    if domain_probs.ndim != 2 or not 0 <= domain < domain_probs.shape[1] or len(domain_probs) == 0:
        raise UserError(f"domain {domain} needs rows [N, more than {domain}]; got {tuple(domain_probs.shape)}")
    score = rate_score("called", domain_probs.argmax(dim=1) == domain, domain=domain)
    return replace(score, protocol="the judge's largest class, none is a failure; Wilson's interval")


def balanced_accuracy(predicted: Tensor, truth: Tensor) -> Score:
    """Mean over the classes of the share got right, so that a rare class weighs as much as a common one.

    Args:
        predicted, truth: class numbers, ``[N]``.

    Returns:
        `Score`; the spread is the standard error of that mean, each class binomial.
    """
    if predicted.shape != truth.shape or truth.ndim != 1 or len(truth) == 0:
        raise UserError(f"two equal rows of class numbers are needed; got {tuple(predicted.shape)} and {tuple(truth.shape)}")
    classes = truth.unique()
    rates = [(predicted[truth == c] == c).double().mean().item() for c in classes]
    counts = [int((truth == c).sum()) for c in classes]
    error = math.sqrt(sum(binomial_error(r, n) ** 2 for r, n in zip(rates, counts))) / len(classes)
    per_class = {str(int(c)): r for c, r in zip(classes, rates)}
    return Score("balanced accuracy", sum(rates) / len(rates), error, 0, len(truth), {"per_class": per_class})


def concordance(x: Tensor, y: Tensor) -> Tensor:
    """Lin's concordance of columns: 1 if y repeats x, 0 if it does not follow, or does not vary. Lin 1989, Eq. (1).

    Unlike a correlation it also falls where y is shifted, or varies less than x.

    Args:
        x, y: ``[N, F]`` or ``[N]``, row by row of the same people.

    Returns:
        ``[F]`` or a scalar, in [-1, 1], float64. Two constant columns have none and count 0.

    Raises:
        UserError: other shapes, or fewer than 2 rows.
    """
    _check_pairs(x, y)
    x, y = x.double(), y.double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    together = ((x - mean_x) * (y - mean_y)).mean(0)
    scale = x.var(0, unbiased=False) + y.var(0, unbiased=False) + (mean_x - mean_y).square()
    return torch.where(scale > 1e-15, 2 * together / scale.clamp_min(1e-15), torch.zeros_like(scale))


def spread_ratio(source: Tensor, adapted: Tensor) -> Tensor:
    """How much of each factor's spread is left: standard deviations of the adapted over those of the source.

    Args:
        source, adapted: ``[N, F]`` and ``[M, F]``.

    Returns:
        ``[F]``, from 0; 1 is as diverse as the source. A factor that the source does not vary gives nan.

    Raises:
        UserError: other shapes, or fewer than 2 rows.
    """
    if source.ndim != 2 or adapted.ndim != 2 or source.shape[1] != adapted.shape[1] or min(len(source), len(adapted)) < 2:
        raise UserError(f"spreads need factors [N, F] and [M, F] of 2 people or more; got {tuple(source.shape)} and {tuple(adapted.shape)}")
    before, after = source.double().std(0), adapted.double().std(0)
    return torch.where(before > 1e-9, after / before.clamp_min(1e-9), torch.full_like(before, float("nan")))


def pair_distances(a: Tensor, b: Tensor, euclidean: bool = False) -> tuple[Tensor, Tensor]:
    """Distance of each row to its partner, and to the partner of another row.

    Another row is the next one, the last row takes the first: a shuffle without a fixed point and without chance.

    Args:
        a, b: ``[N, ...]``, row i of both belongs to one person.
        euclidean: take the distance of the flattened rows; else the mean absolute difference.

    Returns:
        Two rows ``[N]``: of true pairs, of random pairs.

    Raises:
        UserError: other shapes, or fewer than 2 rows.
    """
    _check_pairs(a, b)
    a, b = a.flatten(1).double(), b.flatten(1).double()

    def measure(other: Tensor) -> Tensor:
        return (a - other).norm(dim=1) if euclidean else (a - other).abs().mean(1)

    return measure(b), measure(b.roll(1, 0))


def _check_pairs(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim < 1 or len(x) < 2:
        raise UserError(f"pairs need two equal shapes with 2 rows or more; got {tuple(x.shape)} and {tuple(y.shape)}")
