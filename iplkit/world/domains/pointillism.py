"""Pointillism: the photo taken apart into dots."""

import torch
from torch import Tensor

from iplkit.world.domains import photo
from iplkit.world.geometry import Tweaks
from iplkit.world.noise import dots
from iplkit.world.shading import Canvas, blur, over, saturate, soft_step, tone

CHANGES = "appearance"
WHAT = "Dots of pure color on pale canvas, with complements mixed in."
TWEAKS = Tweaks()
DOTS = 12.0  # dots per image half side


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    base = saturate(photo.paint(c), 1.6) * 1.08
    under = blur(base, 0.010 / c.pixel)
    canvas = tone(base, 0.97, 0.94, 0.84)
    rgb = over(canvas, under, 0.35)
    for layer, frequency in enumerate((DOTS * 0.75, DOTS)):
        a, b, near = dots(c.xs, c.ys, frequency, c.seeds + 17 * layer)
        hue = torch.cat([a - 0.5, 0.5 - b, b - a], 1)
        touch = (under * (0.80 + 0.42 * b) + 0.40 * hue).clamp(0, 1)
        rgb = over(rgb, touch, 0.88 * soft_step(near, 0.40, -0.14))
    return rgb.clamp(0, 1)
