"""What an impartial judge says of a set of images, and how sure a rate is."""

import math

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
    """A rate from yes and no, ``[N]`` bool, with its Wilson interval in the settings."""
    count, n = int(hits.sum()), len(hits)
    interval = wilson_interval(count, n)
    return Score(name, count / n, binomial_error(count / n, n), 0, n, {**settings, "interval": list(interval)})


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
    return rate_score("called", domain_probs.argmax(dim=1) == domain, domain=domain)


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
