"""Cartoon: a character of a loud comic strip."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, ink_lines, lamp, mouth_over, outline, over, saturate, soft_step, tone

CHANGES = "both"
WHAT = "Thick black outlines, flat loud color, round white eyes with dots, and a wall of halftone dots."
TWEAKS = Tweaks(
    eye_size=1.30,
    eye_open=0.6,
    iris=0.62,
    pupil=1.4,
    nose=1.05,
    mouth=1.15,
    width=1.02,
    brow_weight=1.5,
    brow_drop=-0.14,
    hair_volume=0.08,
    neck=0.7,
)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    black = tone(c.color["skin"], 0.02, 0.02, 0.02)
    skin = (saturate(c.color["skin"], 1.9) * 1.10).clamp(0, 1)
    hair = _hair(c)
    face = _face(c, skin, hair, black)
    cloth = (saturate(c.color["clothes"], 1.9) * 1.15).clamp(0, 1)
    layers = {"back": hair * 0.7, "neck": skin * 0.72, "cloth": cloth, "ear": skin, "face": face, "front": hair}
    rgb = compose(c, wall=_wall(c), **layers, frame=0.02, lens=0.3)
    return over(rgb, black, (1.5 * outline(c, 0.030)).clamp(0, 1)).clamp(0, 1)


def _face(c: Canvas, skin: Tensor, hair: Tensor, black: Tensor) -> Tensor:
    m = c.m
    face = over(skin * 0.72, skin, soft_step(lamp(c), 0.52, 0.04))
    c.color["lips"] = tone(face, 0.90, 0.16, 0.20) + 0.0 * c.color["lips"]
    face = mouth_over(face, c)
    face = over(face, hair * 0.6, m.brow)
    face = over(face, hair, 0.95 * m.beard)
    face = over(face, tone(face, 1, 1, 1), m.eye)
    face = over(face, saturate(c.color["eyes"], 2.0), m.eye * m.iris)
    face = over(face, black, m.eye * m.pupil)
    return over(face, black, (1.2 * ink_lines(c)).clamp(0, 1))


def _hair(c: Canvas) -> Tensor:
    """One color and one white glint."""
    base = (saturate(c.color["hair"], 2.0) * 1.15).clamp(0, 1)
    at = soft_step(0.06 - (c.s.v + 1.05 + 0.2 * c.s.x**2).abs(), 0.0, 0.03)
    glint = at * soft_step(0.5 - (c.s.x + 0.35).abs(), 0.0, 0.05)
    return over(base, tone(base, 1, 1, 1), 0.7 * glint)


def _wall(c: Canvas) -> Tensor:
    loud = (saturate(c.color["background"], 2.6) * 1.1).clamp(0, 1)
    dots = torch.sin(c.xs * 26 + c.ys * 26) * torch.sin(c.xs * 26 - c.ys * 26)
    return over(loud, over(loud, tone(loud, 1, 1, 1), 0.65), soft_step(dots, 0.25, 0.2))
