"""Inception Score: sure about each image, and not always of the same thing.

Salimans et al. 2016, "Improved Techniques for Training GANs", Sec. 4: exp of the mean KL(p(y|x) || p(y)). What a
"class" is comes from the network that is asked, so values of two networks do not compare. Two are in use, and are two
metrics here: `is_ref` of the first code, and `is_torchvision` of most adaptation papers.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_set

REF_CLASSES, TORCHVISION_CLASSES = 1008, 1000
FIDELITY_SEED = 2020  # torch-fidelity shuffles with it before it splits
RULES = ("floor", "drop", "chunk")


def split_rows(n: int, splits: int, rule: str = "floor") -> list[slice]:
    """Which rows make each split; the rules differ where `splits` does not divide `n`.

    Args:
        n: rows.
        splits: how many parts are wanted, at most n.
        rule: "floor" puts rows floor(s n / S) to floor((s + 1) n / S) in split s, as the first code does; "drop" takes
            S parts of floor(n / S) rows and forgets the tail; "chunk" takes parts of ceil(n / S) rows as long as
            there are any, which can be fewer than S parts.

    Raises:
        UserError: more splits than rows, or an unknown rule.
    """
    if not 1 <= splits <= n:
        raise UserError(f"splits must be between 1 and the number of images; got {splits} splits of {n} images")
    if rule not in RULES:
        raise UserError(f"splits are cut by the rule {', '.join(RULES[:-1])} or {RULES[-1]}; got {rule!r}")
    if rule == "floor":
        edges = [s * n // splits for s in range(splits + 1)]
    elif rule == "drop":
        edges = [s * (n // splits) for s in range(splits + 1)]
    else:
        edges = [*range(0, n, -(-n // splits)), n]
    return [slice(a, b) for a, b in zip(edges, edges[1:])]


def split_score(probs: Tensor) -> Tensor:
    """Inception Score of one split, ``[N, C]`` -> scalar in [1, C]. A probability of 0 counts 0, as its limit does."""
    marginal = probs.mean(dim=0, keepdim=True)  # [1, C]
    divergence = torch.xlogy(probs, probs) - torch.xlogy(probs, marginal)  # [N, C]
    return divergence.sum(dim=1).mean().exp()


def split_score_of_logits(logits: Tensor) -> Tensor:
    """The same from logits, ``[N, C]``: no probability is rounded to 0 before its logarithm is taken."""
    log_probs = logits.log_softmax(dim=1)
    log_marginal = log_probs.logsumexp(dim=0, keepdim=True) - np.log(len(logits))  # [1, C]
    divergence = log_probs.exp() * (log_probs - log_marginal)  # [N, C]
    return torch.where(log_probs.isneginf(), 0.0, divergence).sum(dim=1).mean().exp()


def _summary(name: str, values: Sequence[Tensor], n: int, settings: dict, ddof: int, protocol: str) -> Score:
    values = torch.stack(list(values))
    spread = values.std(correction=ddof).item() if len(values) > ddof else None
    return Score(name, values.mean().item(), spread, 0, n, settings, protocol=protocol)


def inception_score(probs: Tensor, splits: int = 10) -> Score:
    """Inception Score of any judge's probabilities, averaged over consecutive splits.

    Split s holds rows floor(s N / S) to floor((s + 1) N / S): no image is dropped. Rows are not shuffled here, so
    they must come in random order. Fewer images in a split give a lower value; compare only equal N and splits.

    Args:
        probs: class probabilities, ``[N, C]``, rows that sum to 1 (softmax in float64 if they come from logits).
        splits: how many parts; papers use 10.

    Returns:
        `Score`: mean over the splits, and their standard deviation (divided by S, as the first code does).

    Raises:
        UserError: logits instead of probabilities, or more splits than images.
    """
    if probs.ndim != 2 or bool((probs < 0).any()) or not bool(((probs.double().sum(dim=1) - 1).abs() <= 1e-3).all()):
        raise UserError(f"rows of probabilities [N, C] that sum to 1 are needed; got {tuple(probs.shape)} with other sums")
    probs = probs.double()
    values = [split_score(probs[rows]) for rows in split_rows(len(probs), splits)]
    return _summary("IS", values, len(probs), {"splits": splits}, 0, "probabilities of a judge")


def inception_score_of_logits(
    logits: Tensor, splits: int = 10, *, shuffle: int | None = None, ddof: int = 0, rule: str = "floor", name: str = "IS", protocol: str = ""
) -> Score:
    """Inception Score from any network's logits, by any of the conventions in use.

    Args:
        logits: ``[N, C]``, finite.
        splits: how many parts; papers use 10. One split has no spread.
        shuffle: seed of numpy's legacy generator that mixes the rows first, as torch-fidelity does with 2020;
            None keeps their order.
        ddof: 0 divides the variance over the splits by S, 1 by S - 1 (torchmetrics).
        rule: how the splits are cut, see `split_rows`.
        name, protocol: what the score is called.

    Returns:
        `Score`: mean and standard deviation over the splits.

    Raises:
        UserError: logits that are not finite, more splits than images, an unknown rule.
    """
    logits = check_set(logits, "logits")
    if shuffle is not None:
        logits = logits[torch.from_numpy(np.random.RandomState(shuffle).permutation(len(logits)))]
    values = [split_score_of_logits(logits[rows]) for rows in split_rows(len(logits), splits, rule)]
    settings = {"splits": len(values), "rule": rule, "shuffle": shuffle, "ddof": ddof, "classes": logits.shape[1]}
    return _summary(name, values, len(logits), settings, ddof, protocol)


def _check_classes(logits: Tensor, classes: int, name: str, other: str) -> None:
    if logits.ndim != 2 or logits.shape[1] != classes:
        raise UserError(f"{name} needs logits of {classes} classes, [N, {classes}]; got {tuple(logits.shape)}; for others there is {other}")


def is_ref(logits: Tensor, splits: int = 10, *, shuffle: int | None = None, ddof: int = 0) -> Score:
    """Inception Score of the reference: the 2015 network of 1008 classes, its last layer *without* the bias.

    The logits with the bias give another number; the extractor's layer is "logits_unbiased".

    Args:
        logits: ``[N, 1008]``, no bias added.
        splits, shuffle, ddof: see `inception_score_of_logits`; torch-fidelity's value is ``shuffle=2020``.

    Raises:
        UserError: another number of classes; and see `inception_score_of_logits`.
    """
    _check_classes(logits, REF_CLASSES, "is_ref", "is_torchvision, or inception_score_of_logits")
    protocol = "reference: 1008 classes, no bias" + (f", shuffled with {shuffle}" if shuffle is not None else "")
    return inception_score_of_logits(logits, splits, shuffle=shuffle, ddof=ddof, name="IS (ref)", protocol=protocol)


def is_torchvision(logits: Tensor, splits: int = 10, *, shuffle: int | None = None, ddof: int = 0) -> Score:
    """Inception Score of sbarratt's code, and so of IPL, RSSA and AIR: torchvision's network of 1000 classes, with bias.

    Args:
        logits: ``[N, 1000]``.
        splits, shuffle, ddof: see `inception_score_of_logits`.

    Raises:
        UserError: another number of classes; and see `inception_score_of_logits`.
    """
    _check_classes(logits, TORCHVISION_CLASSES, "is_torchvision", "is_ref, or inception_score_of_logits")
    protocol = "torchvision: 1000 classes, with bias" + (f", shuffled with {shuffle}" if shuffle is not None else "")
    return inception_score_of_logits(logits, splits, shuffle=shuffle, ddof=ddof, name="IS (torchvision)", protocol=protocol)
