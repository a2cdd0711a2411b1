"""The Frechet distance that endless images would give, guessed from how it falls with their number.

Chong and Forsyth 2020, "Effectively Unbiased FID and Inception Score and where to find them", Sec. 3: the bias is linear
in 1/N, so the intercept of a line through several N has none. That line is straight only where N is well above the
number of features; below, the intercept is precise and wrong, and is refused here.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.frechet import exact_distance
from iplkit.metrics.score import Score, check_features

LEAST = 8  # images for each feature


def fid_infinity(real: Tensor, fake: Tensor, *, sizes: list[int] | None = None) -> Score:
    """Intercept of FID against 1/N over the first N fakes, all true images kept.

    Nothing is drawn: the parts are the beginnings of `fake`, which must come in random order.

    Args:
        real: features of true images, ``[N, D]``.
        fake: features of generated images, ``[M, D]``, M at least 8 D.
        sizes: how many fakes; None takes 15 sizes from M / 10 to M.

    Returns:
        `Score`; its spread is the intercept's standard error in the straight-line fit, which knows nothing of the draw
        of the images. Settings: "sizes", "fid_at", "slope".

    Raises:
        UserError: fewer than 8 D images, or fewer than 3 different sizes.
    """
    real, fake = check_features(real, fake)
    n, m, d = len(real), len(fake), real.shape[1]
    if min(n, m) < LEAST * d:
        raise UserError(f"FID at infinity needs {LEAST * d} images in each set for {d} features; got {n} real and {m} fake; use KID")
    sizes = [m // 10 + (m - m // 10) * i // 14 for i in range(15)] if sizes is None else list(sizes)
    if len(set(sizes)) < 3 or min(sizes) < 2 or max(sizes) > m:
        raise UserError(f"FID at infinity needs 3 different sizes from 2 to {m}; got {sizes}")
    values = torch.tensor([exact_distance(real, fake[:size])[0] for size in sizes], dtype=torch.float64)
    line = torch.stack([torch.ones(len(sizes), dtype=torch.float64), 1 / torch.tensor(sizes, dtype=torch.float64)], dim=1)
    intercept, slope = torch.linalg.lstsq(line, values).solution.tolist()
    rest = values - line @ torch.tensor([intercept, slope], dtype=torch.float64)
    error = (rest.square().sum() / (len(sizes) - 2) * torch.linalg.inv(line.T @ line)[0, 0]).sqrt().item()
    return Score("FID∞", intercept, error, n, m, {"dims": d, "sizes": sizes, "fid_at": values.tolist(), "slope": slope})
