"""Cubism: the picture is cut into facets that each look from another place; ochre and slate, dark edges."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.noise import cells
from iplkit.world.shading import Canvas, compose, eyes_over, gray, ink_lines, lamp, mouth_over, outline, over, saturate, soft_step, tone

CHANGES = "geometry and appearance"
TWEAKS = Tweaks(facets=1.0, eye_size=1.15, nose=1.2)
FACETS = 2.6  # facets per image half side


def warp(xs: Tensor, ys: Tensor, tweaks: dict[str, Tensor], seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Shift what each facet shows, by up to a tenth of the picture."""
    a, b, _ = cells(xs, ys, FACETS, seeds)
    amount = 0.26 * tweaks["facets"]
    return xs + amount * (a - 0.5), ys + amount * (b - 0.5)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m = c.m
    size = c.s.x.shape[-1]
    line = (torch.arange(size, device=c.xs.device, dtype=c.xs.dtype) + 0.5) * (2 / size) - 1
    px, py = line.view(1, 1, 1, -1).expand(1, 1, size, size), line.view(1, 1, -1, 1).expand(1, 1, size, size)
    a, b, border = cells(px, py, FACETS, c.seeds)
    lit = soft_step(lamp(c), 0.6, 0.1)
    face = c.color["skin"] * (0.62 + 0.45 * lit)
    face = mouth_over(face, c)
    hair = c.color["hair"] * (0.8 + 0.4 * a)
    face = over(face, hair * 0.6, m.brow)
    face = over(face, hair, 0.9 * m.beard)
    face = eyes_over(face, c)
    dark = tone(face, 0.08, 0.07, 0.09)
    face = over(face, dark, ink_lines(c))
    rgb = compose(c, wall=c.color["background"] + 0.0 * face, back=hair * 0.7, neck=c.color["skin"] * 0.7, cloth=c.color["clothes"], ear=c.color["skin"] * 0.8, face=face, front=hair, frame=0.08)
    rgb = over(rgb, dark, 0.7 * outline(c, 0.016))
    warm, cool = tone(rgb, 1.05, 0.80, 0.48), tone(rgb, 0.52, 0.64, 0.78)
    tint = over(warm, cool, soft_step(a, 0.58, 0.05))
    rgb = over(saturate(rgb, 0.55), gray(rgb) * tint * 1.25, 0.68)
    slope = ((px * (a - 0.5) + py * (b - 0.5)) * FACETS * 2.0)
    slope = slope - torch.floor(slope)
    rgb = rgb * (0.70 + 0.55 * slope)
    return over(rgb, dark, 0.85 * soft_step(0.030 - border, 0.0, 0.04)).clamp(0, 1)
