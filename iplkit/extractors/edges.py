"""Where the lines of a picture are, without a network: the world profile's answer to HED.

The slope of the picture at two scales, over all three colors at once (Di Zenzo 1986, "A Note on the Gradient of a
Multi-Image"), smoothed first as Canny does (1986, "A Computational Approach to Edge Detection", Sec. II). Nothing is
thinned and nothing is cut off: SCS compares soft maps, and a line of one pixel that moves by one pixel would count as lost.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = (1.0, 2.0)  # standard deviation of the smoothing, pixels
CONTRAST = 0.1  # step between two sides, as a share of black to white, at which an edge counts half


def _profile(scale: float) -> tuple[Tensor, Tensor]:
    """A Gaussian ``[K]`` that sums to 1, and its slope ``[K]``, scaled so that a step of 1 gives 1 at its middle."""
    reach = math.ceil(3 * scale)
    x = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bell = (-x.square() / (2 * scale**2)).exp()
    slope = x * bell
    return (bell / bell.sum()).float(), (slope / slope.clamp(min=0).sum()).float()


def _filter(images: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Convolve each channel with ``column x row``; the border repeats, so it makes no edge."""
    n, c, h, w = images.shape
    reach = len(row) // 2
    x = F.pad(images.reshape(n * c, 1, h, w), (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(x, column.view(1, 1, -1, 1)), row.view(1, 1, 1, -1)).reshape(n, c, h, w)


def slope_squared(images: Tensor, scale: float) -> Tensor:
    """Squared slope along the steepest way, mean over the colors, ``[N, 3, H, W]`` -> ``[N, 1, H, W]``.

    In units where a step from black (-1) to white (1) has slope 1 in its middle. It is the larger eigenvalue of the
    2 x 2 matrix of products of the two derivatives: two colors that change against each other do not cancel.
    """
    bell, slope = (p.to(images) for p in _profile(scale))
    dx, dy = _filter(images, bell, slope) / 2, _filter(images, slope, bell) / 2
    xx, yy, xy = (p.mean(dim=1, keepdim=True) for p in (dx * dx, dy * dy, dx * dy))
    return (xx + yy) / 2 + (((xx - yy) / 2).square() + xy.square()).sqrt()


def soft_edges(images: Tensor) -> Tensor:
    """How much of an edge runs through each pixel: 0 in a flat region, towards 1 on a strong line.

    At each scale ``s² / (s² + CONTRAST²)`` of the slope s; the mean over the scales. A line that is redrawn in another
    color or contrast keeps most of its value, as in HED.

    Args:
        images: ``[N, 3, H, W]`` in [-1, 1].

    Returns:
        ``[N, 1, H, W]`` in [0, 1), at the same size.
    """
    maps = [slope_squared(images, scale) for scale in SCALES]
    return sum(m / (m + CONTRAST**2) for m in maps) / len(SCALES)
