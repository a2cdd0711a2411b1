"""Kolmogorov-Smirnov distance: the largest gap between two distribution curves."""

import math

import torch
from torch import Tensor

from iplkit.errors import UserError


def ks_statistic(a: Tensor, b: Tensor) -> float:
    """Two-sample Kolmogorov-Smirnov statistic, ``[N], [M]`` -> a number in [0, 1].

    Exact, ties included: both curves are read at every value of either sample.

    Raises:
        UserError: an empty sample, or one that is not a plain row of finite numbers.
    """
    for sample in (a, b):
        if sample.ndim != 1 or len(sample) == 0 or not bool(sample.isfinite().all()):
            raise UserError(f"two rows of finite numbers are needed; got shapes {tuple(a.shape)} and {tuple(b.shape)}")
    a, b = a.double().sort().values, b.double().sort().values
    both = torch.cat([a, b])
    curve_a = torch.searchsorted(a, both, right=True).double() / len(a)
    curve_b = torch.searchsorted(b, both, right=True).double() / len(b)
    return (curve_a - curve_b).abs().max().item()


def ks_noise(n: int, m: int, level: float = 0.05) -> float:
    """The statistic that two samples of one law stay below in all but `level` of the cases (large-sample form)."""
    return math.sqrt(-0.5 * math.log(level / 2)) * math.sqrt((n + m) / (n * m))
