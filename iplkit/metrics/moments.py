"""Mean and covariance of features that arrive in batches.

Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances":
two parts are merged by their means' difference, so that nothing large is subtracted from something equally large.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import check_set


@dataclass
class Moments:
    """Number, mean and scatter of the rows seen so far, float64. Starts empty: ``Moments().update(batch)``.

    Args:
        count: rows seen.
        mean: ``[D]``; None before the first row.
        scatter: sum of the outer products of the centered rows, ``[D, D]``.
    """

    count: int = 0
    mean: Tensor | None = None
    scatter: Tensor | None = None

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """Moments of one batch, ``[N, D]``.

        Raises:
            UserError: wrong shape, no row, or a value that is not finite.
        """
        features = check_set(features, "batch")
        if len(features) == 0:
            raise UserError("moments need at least one row of features; got none")
        mean = features.mean(dim=0)
        centered = features - mean
        return cls(len(features), mean, centered.T @ centered)

    def update(self, features: Tensor) -> Self:
        """See one more batch, ``[N, D]`` with the same D as before; changes this object and returns it.

        Batches of a thousand rows and more are fastest: each costs one ``D x D`` addition beside its product.
        """
        new = self + Moments.of(features)
        self.count, self.mean, self.scatter = new.count, new.mean, new.scatter
        return self

    def __add__(self, other: "Moments") -> "Moments":
        """Moments of both sets together, as if all rows had come at once.

        Raises:
            UserError: if the widths differ.
        """
        if not self.count or not other.count:
            return other if other.count else self
        if self.mean.shape != other.mean.shape:
            raise UserError(f"moments of one width can be merged; got {len(self.mean)} and {len(other.mean)} features")
        count, step = self.count + other.count, other.mean - self.mean
        between = torch.outer(step, step) * (self.count * other.count / count)
        return Moments(count, self.mean + step * (other.count / count), self.scatter + other.scatter + between)

    def covariance(self, ddof: int = 1) -> Tensor:
        """``[D, D]``, divided by ``count - ddof``.

        Raises:
            UserError: if fewer rows than that were seen.
        """
        if self.count <= ddof:
            raise UserError(f"a covariance needs more than {ddof} rows of features; got {self.count}")
        return self.scatter / (self.count - ddof)
