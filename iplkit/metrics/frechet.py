"""Frechet distance between two clouds of features (FID when the features are Inception's).

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule ...", Sec. 4; Dowson and Landau 1982 for the formula

    d² = |m1 - m2|² + Tr S1 + Tr S2 - 2 Tr (S1 S2)^(1/2).

All of it in float64, covariances divided by N - 1, and nothing is added to a covariance to make a root exist: the
trace is taken from the symmetric matrix S1^(1/2) S2 S1^(1/2), whose eigenvalues are real and not negative.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, check_features


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[D]`` and unbiased covariance ``[D, D]`` of ``[N, D]`` features, float64."""
    features = features.double()
    mean = features.mean(dim=0)
    centered = features - mean
    return mean, centered.T @ centered / (len(features) - 1)


def _eigenvalues_not_negative(values: Tensor, what: str) -> Tensor:
    """Set rounding noise below zero to zero; refuse a matrix that is negative for real.

    Noise of a symmetric eigenvalue routine is at most about D times machine precision times the largest eigenvalue.
    """
    noise = 100 * len(values) * torch.finfo(values.dtype).eps * values.abs().max()
    if bool((values < -noise).any()):
        raise UserError(f"a covariance has no negative eigenvalue; {what} has {values.min().item():.3g}")
    return values.clamp(min=0)


def symmetric_root(matrix: Tensor) -> Tensor:
    """Square root of a symmetric matrix without negative eigenvalues, ``[D, D]`` -> ``[D, D]``."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * _eigenvalues_not_negative(values, "the matrix").sqrt() @ vectors.T


def frechet_distance(mean_real: Tensor, cov_real: Tensor, mean_fake: Tensor, cov_fake: Tensor) -> float:
    """Squared Frechet distance of two Gaussians from their moments, float64.

    Exact for covariances of full rank. Where a covariance is singular, the root of a rounding error is about 1e-8 of
    the largest eigenvalue; `frechet_distance_of_samples` has no such loss.

    Args:
        mean_real, mean_fake: ``[D]``.
        cov_real, cov_fake: ``[D, D]``, symmetric.
    """
    root = symmetric_root(cov_real.double())
    middle = root @ cov_fake.double() @ root
    values = torch.linalg.eigvalsh((middle + middle.T) / 2)
    trace_root = _eigenvalues_not_negative(values, "the product").sqrt().sum()
    shift = (mean_real.double() - mean_fake.double()).square().sum()
    return float(shift + cov_real.double().trace() + cov_fake.double().trace() - 2 * trace_root)


def frechet_distance_of_samples(real: Tensor, fake: Tensor) -> float:
    """The same distance straight from the samples, exact at any rank.

    With A and B the centered features over sqrt(N - 1), Tr (S1 S2)^(1/2) is the sum of the singular values of A Bᵀ.
    No covariance is formed and nothing is squared, so few samples in many dimensions lose no digits.

    Args:
        real, fake: ``[N, D]`` and ``[M, D]``.
    """
    real, fake = real.double(), fake.double()
    mean_real, mean_fake = real.mean(dim=0), fake.mean(dim=0)
    a = (real - mean_real) / (len(real) - 1) ** 0.5
    b = (fake - mean_fake) / (len(fake) - 1) ** 0.5
    traces = a.square().sum() + b.square().sum()
    a, b = (torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x for x in (a, b))
    trace_root = torch.linalg.svdvals(a @ b.T).sum()
    return float((mean_real - mean_fake).square().sum() + traces - 2 * trace_root)


def _bootstrap(real: Tensor, fake: Tensor, rounds: int, seed: int, low_rank: bool) -> float:
    """Standard deviation of the distance when both sets are drawn again with replacement."""
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(rounds):
        pick = [x[torch.randint(len(x), (len(x),), generator=generator)] for x in (real, fake)]
        values.append(frechet_distance_of_samples(*pick) if low_rank else frechet_distance(*moments(pick[0]), *moments(pick[1])))
    return float(torch.tensor(values, dtype=torch.float64).std())


def fid(real: Tensor, fake: Tensor, *, low_rank: bool = False, bootstrap: int = 0, seed: int = 0) -> Score:
    """Frechet distance of two feature sets, with the number of samples it stands on.

    It is biased upwards when samples are few: compare only values of equal N.

    Args:
        real: features of true images, ``[N, D]``.
        fake: features of generated images, ``[M, D]``.
        low_rank: allow N or M of at most D, by the route that needs no full-rank covariance.
        bootstrap: rounds of resampling for the spread; 0 gives none.
        seed: which resamples.

    Returns:
        `Score`; its spread is the bootstrap's standard deviation.

    Raises:
        UserError: if a set is too small for its dimensions, or empty, or not finite.
    """
    real, fake = check_features(real, fake)
    n, m, d = len(real), len(fake), real.shape[1]
    if min(n, m) < 2:
        raise UserError(f"FID needs at least 2 images in each set; got {n} real and {m} fake")
    if min(n, m) <= d and not low_rank:
        raise UserError(f"FID of {d} features needs more than {d} images in each set, or low_rank=True; got {n} real and {m} fake")
    value = frechet_distance_of_samples(real, fake) if low_rank else frechet_distance(*moments(real), *moments(fake))
    spread = _bootstrap(real, fake, bootstrap, seed, low_rank) if bootstrap else None
    route = "singular values" if low_rank else "eigenvalues"
    return Score("FID", value, spread, n, m, {"dims": d, "route": route, "bootstrap": bootstrap, "seed": seed})
