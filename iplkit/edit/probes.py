"""Reading numbers from codes: principal directions, linear maps, and how few coordinates are enough.

Three questions to a space. How many directions hold its spread? How well does a linear map read a factor from its codes?
How well do the one, two, ... best coordinates read it alone? The last one tells a space in which factors lie along the axes
from one in which they lie somehow. Wu et al. 2021, "StyleSpace Analysis", Sec. 4, and Eastwood and Williams 2018 ask the
same with other measures.

Axis letters: N codes, D coordinates, F factors, K directions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.world.fit import r2_score

RIDGES = tuple(10.0**k for k in range(-1, 5))


@dataclass(frozen=True)
class Principal:
    """The directions of largest spread; Härkönen et al. 2020, "GANSpace", edits along them."""

    middle: Tensor  # [D]
    directions: Tensor  # [K, D], unit length, at right angles
    spreads: Tensor  # [K], standard deviations, falling
    whole: float  # variance of all D directions together

    def held(self) -> Tensor:
        """Share of the variance that the first 1, 2, ... K directions hold, ``[K]``."""
        return self.spreads.square().cumsum(0) / self.whole

    def enough(self, share: float) -> int:
        """How many of the largest directions hold that share; K + 1 if all K do not."""
        return int((self.held() < share).sum()) + 1


def principal(codes: Tensor, most: int | None = None) -> Principal:
    """Principal directions of some codes, ``[N, D]``; the sign of each makes its largest entry positive.

    Raises:
        UserError: if there are fewer than two codes.
    """
    if codes.ndim != 2 or len(codes) < 2:
        raise UserError(f"principal directions need at least 2 codes [N, D]; got {tuple(codes.shape)}")
    x = codes.double()
    values, vectors = torch.linalg.eigh(torch.cov(x.T).reshape(x.shape[1], x.shape[1]))
    values, vectors = values.flip(0).clamp_min(0)[:most], vectors.flip(1).T[:most]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return Principal(x.mean(0), vectors * largest.sign(), values.sqrt(), float(x.var(0).sum()))


@dataclass(frozen=True)
class Probe:
    """A linear map from codes to factors."""

    middle: Tensor  # [D]
    weights: Tensor  # [D, F]
    level: Tensor  # [F]

    def __call__(self, codes: Tensor) -> Tensor:
        """Factors of some codes, ``[N, D]`` -> ``[N, F]``."""
        return self.level + (codes.double() - self.middle) @ self.weights


def fit_probe(codes: Tensor, factors: Tensor, ridge: float) -> Probe:
    """Least squares with a ridge, in units of the codes' mean variance.

    Args:
        codes: ``[N, D]``.
        factors: ``[N, F]``.
        ridge: 0 is plain least squares.
    """
    x, y = codes.double(), factors.double()
    middle, level = x.mean(0), y.mean(0)
    a = x - middle
    scale = a.std()
    a = a / scale
    gram = a.T @ a + ridge * torch.eye(a.shape[1], dtype=a.dtype)
    return Probe(middle, torch.linalg.solve(gram, a.T @ (y - level)) / scale, level)


def best_probe(codes: Tensor, factors: Tensor, other: Tensor, others: Tensor, ridges=RIDGES) -> Probe:
    """The probe whose ridge reads the median factor best on codes that served for nothing else.

    Args:
        codes, factors: to learn from.
        other, others: codes and factors to choose the ridge on.
    """
    tries = [fit_probe(codes, factors, ridge) for ridge in ridges]
    fit = torch.stack([r2_score(probe(other), others.double()).median() for probe in tries])
    return tries[int(fit.argmax())]


def best_coordinates(codes: Tensor, factors: Tensor, test: Tensor, tests: Tensor, most: int) -> Tensor:
    """How well the 1, 2, ... best coordinates alone read each factor, on codes not seen.

    Orthogonal matching pursuit: take the coordinate that explains most of what is left, fit all taken ones again, repeat.

    Args:
        codes, factors: to learn from, ``[N, D]`` and ``[N, F]``.
        test, tests: to score on.
        most: how many coordinates.

    Returns:
        R2, ``[most, F]``.

    Raises:
        UserError: if there are not so many coordinates, or not more codes than that.
    """
    if not 1 <= most <= codes.shape[1] or len(codes) <= most:
        raise UserError(f"the best coordinates need 1 to {min(codes.shape[1], len(codes) - 1)} of them; got {most}")
    x, middle = codes.double(), codes.double().mean(0)
    spread = x.std(0)
    x, seen = (x - middle) / spread.clamp_min(1e-9), (test.double() - middle) / spread.clamp_min(1e-9)
    level = factors.double().mean(0)
    scores = []
    for column in range(factors.shape[1]):
        y = factors[:, column].double() - level[column]
        left, taken, row = y, [], []
        for _ in range(most):
            gains = (x.T @ left).abs()
            gains[taken] = -1
            taken.append(int(gains.argmax()))
            fit = torch.linalg.lstsq(x[:, taken], y[:, None]).solution
            left = y - (x[:, taken] @ fit)[:, 0]
            row.append(r2_score(seen[:, taken] @ fit + level[column], tests[:, column : column + 1].double()))
        scores.append(torch.cat(row))
    return torch.stack(scores, dim=1)


def shares_of_blocks(codes: Tensor, probe: Probe, blocks: int) -> Tensor:
    """How much of what a probe says comes from each block of coordinates, such as the rows of W+.

    Only for codes whose blocks were drawn apart; then the variances of the blocks' parts add up.

    Args:
        codes: ``[N, D]``, D a multiple of `blocks`.
        probe: see `fit_probe`.
        blocks: how many.

    Returns:
        ``[blocks, F]``; a column sums to 1.
    """
    n, width = codes.shape
    x = (codes.double() - probe.middle).reshape(n, blocks, width // blocks)
    parts = torch.einsum("nbd,bdf->nbf", x, probe.weights.reshape(blocks, width // blocks, -1)).var(0)
    return parts / parts.sum(0)
