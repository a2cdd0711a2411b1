"""Kernel distance between two sets of features (KID when the features are Inception's).

Binkowski et al. 2018, "Demystifying MMD GANs", Sec. 4. Unbiased: few images give the same expected value as many,
only noisier. It can be slightly negative, and is then printed so.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.bootstrap import percentile_interval, resample_counts
from iplkit.metrics.score import Score, check_features


def _kernel_sum(x: Tensor, y: Tensor, chunk: int) -> Tensor:
    """Sum of k(x, y) = (x·y / D + 1)³ over all pairs, a block of rows at a time."""
    total = x.new_zeros(())
    for rows in x.split(chunk):
        z = rows @ y.T / x.shape[1] + 1  # [chunk, M]
        total += (z * z * z).sum()
    return total


def _diagonal_sum(x: Tensor) -> Tensor:
    """Sum of k(x, x): the pairs of an image with itself, which an unbiased estimate leaves out."""
    z = x.square().sum(dim=1) / x.shape[1] + 1
    return (z * z * z).sum()


def squared_mmd(x: Tensor, y: Tensor, chunk: int = 2048) -> float:
    """Unbiased squared MMD, ``[N, D], [M, D]``. Gretton et al. 2012, Eq. (3)."""
    n, m = len(x), len(y)
    within_x = (_kernel_sum(x, x, chunk) - _diagonal_sum(x)) / (n * (n - 1))
    within_y = (_kernel_sum(y, y, chunk) - _diagonal_sum(y)) / (m * (m - 1))
    return float(within_x + within_y - 2 * _kernel_sum(x, y, chunk) / (n * m))


def _random_subsets(real: Tensor, fake: Tensor, size: int, count: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        yield tuple(x[torch.randperm(len(x), generator=generator)[:size]] for x in (real, fake))


def _fidelity_subsets(real: Tensor, fake: Tensor, size: int, count: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The subsets of torch-fidelity: numpy's legacy generator, its first input (the fakes) drawn before its second."""
    generator = np.random.RandomState(seed)
    for _ in range(count):
        first = fake[torch.from_numpy(generator.choice(len(fake), size, replace=False))]
        yield real[torch.from_numpy(generator.choice(len(real), size, replace=False))], first


SUBSETS = {"own": _random_subsets, "torch-fidelity": _fidelity_subsets}


def kid(
    real: Tensor, fake: Tensor, *, subset_size: int | None = None, num_subsets: int = 100, seed: int = 0, subsets: str = "own"
) -> Score:
    """Kernel distance of two feature sets, times nothing (some tables print it times 1000).

    Without `subset_size` it is computed once on everything, which uses each pair and draws nothing; the spread is
    then the standard error from ten disjoint blocks. With `subset_size` it is the papers' mean over random subsets,
    and the spread is their standard deviation.

    Args:
        real: features of true images, ``[N, D]``.
        fake: features of generated images, ``[M, D]``.
        subset_size: images in a subset; papers use 1000.
        num_subsets: subsets to average; papers use 100.
        seed: which subsets.
        subsets: "own" draws them with torch; "torch-fidelity" draws those of torch-fidelity, whose first input are the
            fakes and whose seed is 2020.

    Raises:
        UserError: if a set is smaller than a subset, or than 2; an unknown way to draw.
    """
    real, fake = check_features(real, fake)
    n, m = len(real), len(fake)
    if min(n, m) < (needed := max(2, subset_size or 2)):
        instead = "" if subset_size is None else "; without subset_size it uses what there is"
        raise UserError(f"KID needs at least {needed} images in each set; got {n} real and {m} fake{instead}")
    if subsets not in SUBSETS:
        raise UserError(f"subsets are drawn the way {' or '.join(SUBSETS)}; got {subsets!r}")
    if subset_size is not None:
        values = [squared_mmd(x, y) for x, y in SUBSETS[subsets](real, fake, subset_size, num_subsets, seed)]
        values = torch.tensor(values, dtype=torch.float64)
        settings = {"subset_size": subset_size, "num_subsets": num_subsets, "seed": seed}
        protocol = f"mean over subsets, drawn as {subsets}"
        return Score("KID", values.mean().item(), values.std(unbiased=False).item(), n, m, settings, protocol=protocol)
    spread = None
    if min(n, m) >= 20:
        blocks = zip(real.tensor_split(10), fake.tensor_split(10))
        values = torch.tensor([squared_mmd(x, y) for x, y in blocks], dtype=torch.float64)
        spread = values.std().item() / 10**0.5
    return Score("KID", squared_mmd(real, fake), spread, n, m, {"subset_size": None}, protocol="all pairs")


def _cubes(x: Tensor, y: Tensor) -> Tensor:
    z = x @ y.T / x.shape[1] + 1
    return z * z * z


def _resampled(kernel: Tensor, counts: Tensor) -> Tensor:
    """Mean of a kernel over pairs of different images, each as often as it was drawn, ``[N, N], [R, N]`` -> ``[R]``."""
    pairs = (counts @ kernel * counts).sum(dim=1) - counts.square() @ kernel.diagonal()
    return pairs / (counts.sum(dim=1).square() - counts.square().sum(dim=1))


def kid_interval(real: Tensor, fake: Tensor, *, rounds: int = 1000, seed: int = 0, level: float = 0.95) -> Score:
    """KID on everything with a bootstrap interval; the kernel is computed once and only its pairs are counted anew.

    An image that was drawn twice makes no pair with itself: such a pair would add k(x, x) and lift the distance.

    Args:
        real, fake: ``[N, D]`` and ``[M, D]``. All N² + M² + N M kernel values are held at once.
        rounds: how often both sets are drawn again.
        seed: which draws.
        level: of the percentile interval.

    Returns:
        `Score`; its spread is the standard deviation over the rounds.
    """
    score = kid(real, fake)
    real, fake = real.double(), fake.double()
    generator = torch.Generator().manual_seed(seed)
    counts = [resample_counts(len(x), rounds, generator) for x in (real, fake)]
    cross = (counts[0] @ _cubes(real, fake) * counts[1]).sum(dim=1) / (len(real) * len(fake))
    values = _resampled(_cubes(real, real), counts[0]) + _resampled(_cubes(fake, fake), counts[1]) - 2 * cross
    interval = percentile_interval(values, level)
    settings = score.settings | {"bootstrap": rounds, "seed": seed, "level": level}
    return replace(score, spread=values.std().item(), interval=interval, settings=settings)
