"""Frechet distance between two clouds of features (FID when the features are Inception's).

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule ...", Sec. 4; Dowson and Landau 1982 for the formula

    d² = |m1 - m2|² + Tr S1 + Tr S2 - 2 Tr (S1 S2)^(1/2).

All of it in float64, and nothing is added to a covariance to make a root exist. There are two routes to the last term.
Covariances of full rank go through a symmetric matrix with the eigenvalues of S1 S2. Everything else goes through the
singular values of the samples themselves, which lose no digits at any rank.
"""

import torch
from scipy.linalg import blas, eigvalsh, lapack
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.moments import Moments
from iplkit.metrics.score import Score, check_features

DIGITS = 1e-8  # of the traces: a larger possible rounding error sends a distance from the first route to the second
PROTOCOL = {1: "covariances over N - 1", 0: "covariances over N (NVIDIA)"}  # by ddof


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[D]`` and unbiased covariance ``[D, D]`` of ``[N, D]`` features, float64."""
    features = features.double()
    mean = features.mean(dim=0)
    centered = features - mean
    return mean, centered.T @ centered / (len(features) - 1)


def _noise(values: Tensor) -> float:
    """Rounding error to expect of the eigenvalues of a product: sqrt(D) times machine precision times the largest."""
    return len(values) ** 0.5 * torch.finfo(values.dtype).eps * float(values.abs().max())


def _eigenvalues_not_negative(values: Tensor, what: str) -> Tensor:
    """Set rounding noise below zero to zero; refuse a matrix that is negative for real."""
    if bool((values < -100 * len(values) ** 0.5 * _noise(values)).any()):
        raise UserError(f"a covariance has no negative eigenvalue; {what} has {values.min().item():.3g}")
    return values.clamp(min=0)


def symmetric_root(matrix: Tensor) -> Tensor:
    """Square root of a symmetric matrix without negative eigenvalues, ``[D, D]`` -> ``[D, D]``."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * _eigenvalues_not_negative(values, "the matrix").sqrt() @ vectors.T


def trace_of_root(cov_real: Tensor, cov_fake: Tensor) -> tuple[float, float]:
    """Tr (S1 S2)^(1/2) of two covariances ``[D, D]``, and how far rounding may have moved it.

    With S1 = L Lᵀ, the matrix Lᵀ S2 L is symmetric and has the eigenvalues of S1 S2. L is Cholesky's where there is
    one, and the symmetric root where S1 is singular.
    """
    factor, failed = torch.linalg.cholesky_ex(cov_real)
    factor = symmetric_root(cov_real) if failed else factor
    middle = factor.T @ cov_fake @ factor
    return _sum_of_roots(torch.linalg.eigvalsh((middle + middle.T) / 2))


def _sum_of_roots(values: Tensor) -> tuple[float, float]:
    """Sum of the roots of a product's eigenvalues ``[D]``, and how far rounding may have moved it."""
    noise = _noise(values)
    roots = _eigenvalues_not_negative(values, "the product").sqrt()
    return float(roots.sum()), float((noise / (2 * roots).clamp(min=noise**0.5)).sum()) if noise else 0.0


def frechet_distance(mean_real: Tensor, cov_real: Tensor, mean_fake: Tensor, cov_fake: Tensor) -> float:
    """Squared Frechet distance of two Gaussians from their moments, float64.

    Exact for covariances of full rank. Where a covariance is singular, the root of a rounding error is about 1e-8 of
    the largest eigenvalue; `frechet_distance_of_samples` has no such loss.

    Args:
        mean_real, mean_fake: ``[D]``.
        cov_real, cov_fake: ``[D, D]``, symmetric.
    """
    mean_real, cov_real, mean_fake, cov_fake = (x.double() for x in (mean_real, cov_real, mean_fake, cov_fake))
    shift = float((mean_real - mean_fake).square().sum())
    return shift + float(cov_real.trace() + cov_fake.trace()) - 2 * trace_of_root(cov_real, cov_fake)[0]


def frechet_distance_of_samples(real: Tensor, fake: Tensor, ddof: int = 1) -> float:
    """The same distance straight from the samples, exact at any rank.

    With A and B the centered features over sqrt(N - ddof), Tr (S1 S2)^(1/2) is the sum of the singular values of A Bᵀ.
    No covariance is formed and nothing is squared, so few samples in many dimensions lose no digits.

    Args:
        real, fake: ``[N, D]`` and ``[M, D]``.
        ddof: 1 for unbiased covariances, 0 for those divided by N.
    """
    real, fake = real.double(), fake.double()
    mean_real, mean_fake = real.mean(dim=0), fake.mean(dim=0)
    a = (real - mean_real) / (len(real) - ddof) ** 0.5
    b = (fake - mean_fake) / (len(fake) - ddof) ** 0.5
    traces = a.square().sum() + b.square().sum()
    a, b = (torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x for x in (a, b))
    trace_root = torch.linalg.svdvals(a @ b.T).sum()
    return float((mean_real - mean_fake).square().sum() + traces - 2 * trace_root)


def _by_eigenvalues(real: Tensor, fake: Tensor, ddof: int) -> tuple[float, bool]:
    """The distance of two sets with more images than features, and whether its rounding error is below `DIGITS`.

    With S1 = L Lᵀ and S2 = Bᵀ B, the matrix (B L)ᵀ (B L) has the eigenvalues of S1 S2, and S2 is never formed. BLAS is
    asked for one triangle of each symmetric product, half of the work that torch would do.
    """
    shift = float((real.mean(dim=0) - fake.mean(dim=0)).square().sum())
    a, b = (((x - x.mean(dim=0)) / (len(x) - ddof) ** 0.5).cpu() for x in (real, fake))
    factor, failed = lapack.dpotrf(blas.dsyrk(1.0, a.T.numpy(), lower=True), lower=True)
    if failed:  # a singular covariance
        return float("nan"), False
    rotated = blas.dtrmm(1.0, factor, b.T.numpy(), lower=True, trans_a=True)
    middle = blas.dsyrk(1.0, rotated, lower=True)
    trace_root, error = _sum_of_roots(torch.from_numpy(eigvalsh(middle, lower=True, overwrite_a=True, check_finite=False)))
    traces = float(a.square().sum() + b.square().sum())
    return shift + traces - 2 * trace_root, 2 * error <= DIGITS * traces


def exact_distance(real: Tensor, fake: Tensor, ddof: int = 1) -> tuple[float, str]:
    """The distance of two sets by whichever route is exact for them, and the route's name.

    Where both sets have more images than features, the eigenvalues are tried first: for about as many images as
    features they are faster. If their own rounding error is too large (features that never vary, or repeat each
    other), the singular values follow.

    Args:
        real, fake: ``[N, D]`` and ``[M, D]``, at least 2 images each.
        ddof: see `frechet_distance_of_samples`.
    """
    if min(len(real), len(fake)) > real.shape[1] + 1:
        value, exact = _by_eigenvalues(real.double(), fake.double(), ddof)
        if exact:
            return value, "eigenvalues"
    return frechet_distance_of_samples(real, fake, ddof), "singular values"


def _bootstrap(real: Tensor, fake: Tensor, rounds: int, seed: int) -> Tensor:
    """The distance when both sets are drawn again with replacement, ``[rounds]``."""
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(rounds):
        pick = [x[torch.randint(len(x), (len(x),), generator=generator)] for x in (real, fake)]
        values.append(exact_distance(*pick)[0])
    return torch.tensor(values, dtype=torch.float64)


def fid(real: Tensor, fake: Tensor, *, low_rank: bool = False, bootstrap: int = 0, seed: int = 0, ddof: int = 1) -> Score:
    """Frechet distance of two feature sets, with the number of samples it stands on.

    It is biased upwards when samples are few: compare only values of equal N.

    Args:
        real: features of true images, ``[N, D]``.
        fake: features of generated images, ``[M, D]``.
        low_rank: allow N or M of at most D. The value is exact all the same; it just says more about N than about
            the images.
        bootstrap: rounds of resampling for the spread; 0 gives none.
        seed: which resamples.
        ddof: 1 divides covariances by N - 1, as pytorch-fid, clean-fid and torch-fidelity do; 0 by N, as NVIDIA's
            StyleGAN code does.

    Returns:
        `Score`; its spread is the bootstrap's standard deviation. `iplkit.metrics.bootstrap` gives an interval.

    Raises:
        UserError: if a set is too small for its dimensions, or empty, or not finite.
    """
    real, fake = check_features(real, fake)
    n, m, d = len(real), len(fake), real.shape[1]
    if min(n, m) < 2:
        raise UserError(f"FID needs at least 2 images in each set; got {n} real and {m} fake")
    if min(n, m) <= d and not low_rank:
        needed = f"FID of {d} features needs more than {d} images in each set, or low_rank=True; got {n} real and {m} fake"
        raise UserError(f"{needed}; KID bears so few")
    value, route = exact_distance(real, fake, ddof)
    spread = float(_bootstrap(real, fake, bootstrap, seed).std()) if bootstrap else None
    settings = {"dims": d, "route": route, "bootstrap": bootstrap, "seed": seed}
    return Score("FID", value, spread, n, m, settings, protocol=PROTOCOL[ddof])


def fid_of_moments(real: Moments, fake: Moments, *, ddof: int = 1) -> Score:
    """Frechet distance of two sets too large to keep, from what was streamed of them.

    Args:
        real, fake: see `Moments`; each must have seen more rows than features.
        ddof: see `fid`.

    Raises:
        UserError: too few rows, or sets of different width.
    """
    if not real.count or not fake.count or real.mean.shape != fake.mean.shape:
        shapes = [None if x.mean is None else len(x.mean) for x in (real, fake)]
        raise UserError(f"FID needs moments of two sets of equal width; got {shapes[0]} and {shapes[1]} features")
    d = len(real.mean)
    if min(real.count, fake.count) <= d:
        raise UserError(
            f"FID of {d} streamed features needs more than {d} images in each set; "
            f"got {real.count} real and {fake.count} fake; keep the features and use fid with low_rank=True"
        )
    value = frechet_distance(real.mean, real.covariance(ddof), fake.mean, fake.covariance(ddof))
    settings = {"dims": d, "route": "eigenvalues of streamed moments"}
    return Score("FID", value, None, real.count, fake.count, settings, protocol=PROTOCOL[ddof])
