"""Squared distances between many long vectors, without holding all vectors at once."""

from collections.abc import Callable

import torch
from torch import Tensor

from iplkit.errors import UserError

COLUMNS = 1 << 16  # of the vectors, turned to float64 at a time


def squared_distances(x: Tensor, y: Tensor, columns: int = COLUMNS) -> Tensor:
    """|x_i - y_j|² of all pairs, ``[N, E], [M, E]`` -> ``[N, M]`` float64.

    Products are summed in float64 a slice of columns at a time, so float32 vectors need no second copy. Both sets are
    shifted by the mean of x first: what all vectors share would otherwise be squared and subtracted.

    Raises:
        UserError: shapes that do not fit.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise UserError(f"distances need two sets of vectors [N, E] and [M, E]; got {tuple(x.shape)} and {tuple(y.shape)}")
    total = torch.zeros(len(x), len(y), dtype=torch.float64, device=x.device)
    for a, b in zip(x.split(columns, dim=1), y.split(columns, dim=1)):
        a, b = a.double(), b.double()
        center = a.mean(dim=0)
        a, b = a - center, b - center
        total += a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T
    return total.clamp(min=0)


def blockwise_distances(vectors: Callable[[int, int], Tensor], n: int, block: int = 50) -> Tensor:
    """Squared distances of n vectors that do not fit into memory together.

    At most two blocks exist at a time. Each block is asked for about n / (2 block) times: large blocks save passes of
    the network, small ones memory.

    Args:
        vectors: (start, stop) -> vectors start to stop, ``[stop - start, E]``; the same each time it is asked.
        n: how many there are.
        block: vectors held at once, twice.

    Returns:
        ``[n, n]`` float64, symmetric, zeros on the diagonal.
    """
    total = torch.zeros(n, n, dtype=torch.float64)
    starts = range(0, n, block)
    for i in starts:
        rows = vectors(i, min(i + block, n))
        for j in [s for s in starts if s >= i]:
            columns = rows if j == i else vectors(j, min(j + block, n))
            part = squared_distances(rows, columns).cpu()
            total[i : i + block, j : j + block] = part
            total[j : j + block, i : i + block] = part.T
    return total.fill_diagonal_(0)
