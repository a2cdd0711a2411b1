"""Cartoon: thick black outlines, flat loud color, round white eyes with dots, a wall of halftone dots."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, lamp, mouth_over, ink_lines, outline, over, saturate, soft_step, tone

CHANGES = "geometry and appearance"
TWEAKS = Tweaks(eye_size=1.30, eye_open=0.6, iris=0.62, pupil=1.4, nose=1.05, mouth=1.15, width=1.02, brow_weight=1.5, brow_drop=-0.14, hair_volume=0.08, neck=0.7)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m = c.m
    black = tone(c.color["skin"], 0.02, 0.02, 0.02)
    skin = (saturate(c.color["skin"], 1.9) * 1.10).clamp(0, 1)
    lit = soft_step(lamp(c), 0.52, 0.04)
    face = over(skin * 0.72, skin, lit)
    c.color["lips"] = tone(face, 0.90, 0.16, 0.20) + 0.0 * c.color["lips"]
    face = mouth_over(face, c)
    hair = (saturate(c.color["hair"], 2.0) * 1.15).clamp(0, 1)
    glint = soft_step(0.06 - (c.s.v + 1.05 + 0.2 * c.s.x**2).abs(), 0.0, 0.03) * soft_step(0.5 - (c.s.x + 0.35).abs(), 0.0, 0.05)
    hair = over(hair + 0.0 * face, tone(face, 1, 1, 1), 0.7 * glint)
    face = over(face, hair * 0.6, m.brow)
    face = over(face, hair, 0.95 * m.beard)
    face = over(face, tone(face, 1, 1, 1), m.eye)
    face = over(face, saturate(c.color["eyes"], 2.0), m.eye * m.iris)
    face = over(face, black, m.eye * m.pupil)
    face = over(face, black, (1.2 * ink_lines(c)).clamp(0, 1))
    loud = (saturate(c.color["background"], 2.6) * 1.1).clamp(0, 1)
    dots = torch.sin(c.xs * 26 + c.ys * 26) * torch.sin(c.xs * 26 - c.ys * 26)
    wall = over(loud, over(loud, tone(face, 1, 1, 1), 0.65), soft_step(dots, 0.25, 0.2))
    cloth = (saturate(c.color["clothes"], 1.9) * 1.15).clamp(0, 1)
    rgb = compose(c, wall=wall, back=hair * 0.7, neck=skin * 0.72, cloth=cloth, ear=skin, face=face, front=hair, frame=0.02, lens=0.3)
    return over(rgb, black, (1.5 * outline(c, 0.030)).clamp(0, 1)).clamp(0, 1)
