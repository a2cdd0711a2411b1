"""Two bridges that need no training: the nearest of many samples, and a straight line in closed form.

Whatever is learned has to beat both.

Axis letters: N features, M samples in the gallery, D width of w, E width of CLIP's features, K whitened coordinates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from iplkit.edit.bridge_pairs import Pairs
from iplkit.errors import UserError

STRENGTHS = tuple(10.0**k for k in range(-5, 2))


def nearest(gallery: Pairs, e: Tensor) -> Tensor:
    """The code of the sample that CLIP finds most alike, ``[N, E]`` -> ``[N, D]``."""
    _same_width(gallery.e, e)
    return gallery.w[torch.cat([(part @ gallery.e.T).argmax(1) for part in e.split(256)])]


def solve(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Ridge regression without a constant: both sides are centred.

    Hoerl and Kennard 1970. The penalty is `strength` x N x the mean square of x, so it means the same for any N and scale.

    Args:
        x: ``[N, E]``.
        y: ``[N, K]``.
        strength: from 0 up.

    Returns:
        ``[E, K]``, float32, so that ``x @ solution`` is near y.
    """
    x, y = x.double(), y.double()
    gram = x.T @ x
    gram.diagonal().add_(strength * float(gram.diagonal().mean()))
    return torch.linalg.solve(gram, x.T @ y).float()


def best_ridge(x: Tensor, y: Tensor, held_x: Tensor, held_y: Tensor, strengths: Sequence[float] = STRENGTHS) -> tuple[Tensor, float]:
    """The line whose squared error on held-out pairs is least, with its strength.

    Raises:
        UserError: if there is no strength to try, or a width differs.
    """
    if not strengths:
        raise UserError("a ridge needs at least one strength to try; got none")
    _same_width(x, held_x)
    tried = [(solve(x, y, s), s) for s in strengths]
    return min(tried, key=lambda found: float((held_x @ found[0] - held_y).square().mean()))


def _same_width(a: Tensor, b: Tensor) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise UserError(f"features of one CLIP are needed; got widths {a.shape[-1]} and {b.shape[-1]}")
