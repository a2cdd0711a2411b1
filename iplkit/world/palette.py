"""Colors of the photo domain, by factor. Three numbers in [0, 1]: red, green, blue."""

import torch
from torch import Tensor

SKIN = ((0.98, 0.85, 0.77), (0.94, 0.75, 0.62), (0.80, 0.58, 0.43), (0.57, 0.38, 0.27), (0.36, 0.23, 0.17))
HAIR = ((0.07, 0.06, 0.07), (0.31, 0.19, 0.11), (0.64, 0.25, 0.09), (0.88, 0.69, 0.34), (0.74, 0.74, 0.76))
EYES = ((0.26, 0.14, 0.07), (0.48, 0.36, 0.14), (0.26, 0.46, 0.28), (0.24, 0.46, 0.74))
BACKGROUND = (
    (0.74, 0.74, 0.76), (0.86, 0.80, 0.64), (0.62, 0.76, 0.56), (0.50, 0.66, 0.84), (0.34, 0.36, 0.52), (0.60, 0.46, 0.68),
)  # fmt: skip
CLOTHES = (
    (0.72, 0.20, 0.18), (0.86, 0.56, 0.18), (0.34, 0.52, 0.26), (0.16, 0.36, 0.62), (0.20, 0.22, 0.28), (0.52, 0.26, 0.54),
)  # fmt: skip


def ramp(value: Tensor, knots, colors) -> Tensor:
    """Piecewise linear color, ``[N]`` -> ``[N, 3, 1, 1]``; constant before the first and after the last knot."""
    c = torch.tensor(colors, dtype=value.dtype, device=value.device)
    out = c[0].expand(len(value), 3)
    for k in range(len(knots) - 1):
        share = ((value - knots[k]) / (knots[k + 1] - knots[k])).clamp(0, 1)
        out = out + share[:, None] * (c[k + 1] - c[k])
    return out[:, :, None, None]


def even_ramp(value: Tensor, colors) -> Tensor:
    """`ramp` with equally spaced knots from 0 to 1."""
    n = len(colors) - 1
    return ramp(value, [k / n for k in range(n + 1)], colors)


def binned_ramp(value: Tensor, colors, border: float = 0.03) -> Tensor:
    """Equal bins of constant color with short ramps at their borders: a name fits a whole bin."""
    n = len(colors)
    knots, doubled = [0.0], [colors[0]]
    for k in range(1, n):
        knots += [k / n - border, k / n + border]
        doubled += [colors[k - 1], colors[k]]
    return ramp(value, knots, doubled)


def skin_color(tone: Tensor, hue: Tensor) -> Tensor:
    """Skin from pale to dark, tinted from rosy to olive, ``[N], [N]`` -> ``[N, 3, 1, 1]``."""
    tint = torch.tensor((-0.05, 0.03, -0.05), dtype=tone.dtype, device=tone.device).view(1, 3, 1, 1)
    return even_ramp(tone, SKIN) * (1 + 1.2 * tint * (2 * hue - 1).view(-1, 1, 1, 1))
