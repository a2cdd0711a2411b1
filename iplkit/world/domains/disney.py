"""Disney: the style of a hand-drawn heroine."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks, bump
from iplkit.world.noise import dots
from iplkit.world.shading import Canvas, compose, eyes_over, ink_lines, lamp, mouth_over, outline, over, saturate, soft_step, tone

CHANGES = "both"
WHAT = "Large eyes, a small nose and a pointed chin, clean warm color, a thin brown line, and lights in the air."
TWEAKS = Tweaks(
    eye_size=1.50,
    eye_open=0.25,
    iris=1.12,
    nose=0.62,
    mouth=0.92,
    chin=0.34,
    width=1.04,
    brow_weight=0.75,
    brow_drop=-0.10,
    hair_volume=0.12,
    neck=0.72,
)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    lit = soft_step(lamp(c), 0.62, 0.35)
    skin = saturate(c.color["skin"], 1.25) * 1.04
    hair_base = saturate(c.color["hair"], 1.35) * 1.05
    line = tone(skin, 0.28, 0.14, 0.10)
    face = _face(c, skin, lit, hair_base, line)
    band = torch.exp(-(((c.s.v + 0.95 + 0.15 * c.s.x**2) / 0.16) ** 2))
    hair = hair_base * (0.85 + 0.15 * soft_step(-c.s.y, 0.2, 0.5)) + 0.28 * band * (0.4 + hair_base)
    cloth = saturate(c.color["clothes"], 1.4) * (0.95 + 0.15 * lit)
    layers = {"back": hair * 0.72, "neck": skin * 0.84, "cloth": cloth, "ear": skin * 0.9, "face": face, "front": hair}
    rgb = compose(c, wall=_wall(c), **layers, frame=0.15)
    return over(rgb, line, 0.75 * outline(c, 0.014)).clamp(0, 1)


def _face(c: Canvas, skin: Tensor, lit: Tensor, hair: Tensor, line: Tensor) -> Tensor:
    m = c.m
    face = skin * (0.82 + 0.20 * lit)
    cheeks = bump(c.s.u.abs(), c.s.v, 0.62, 0.60, 0.22, 0.18)
    face = over(face, face * tone(face, 1.0, 0.66, 0.62), 0.65 * cheeks)
    face = over(face, c.color["eyes"] * 0.5 + 0.35 * skin, 0.45 * m.socket * (c.s.v < 0.02) * (1 - m.eye))  # eye shadow
    c.color["lips"] = over(c.color["lips"], tone(face, 0.86, 0.26, 0.30), 0.65)
    face = mouth_over(face, c)
    face = over(face, hair * 0.45, 0.95 * m.brow)
    face = over(face, hair * 0.9, 0.85 * m.beard)
    face = eyes_over(face, c, white=(1.0, 1.0, 1.0), shade=0.15)
    return over(face, line, 0.9 * m.lash + 0.5 * ink_lines(c) * (1 - m.lash))


def _wall(c: Canvas) -> Tensor:
    """A warm glow behind the head, with sparkles."""
    color = c.color["background"]
    glow = torch.exp(-1.3 * (c.xs**2 + (c.ys + 0.1) ** 2))
    wall = over(saturate(color, 1.5) * 0.55, tone(color, 1.0, 0.88, 0.66), 0.85 * glow)
    sparkle = soft_step(_sparkles(c), 0.0, 0.12)
    return over(wall, tone(color, 1.0, 0.97, 0.85), 0.8 * sparkle * (1 - 0.7 * glow))


def _sparkles(c: Canvas) -> Tensor:
    """Round lights in the air, positive inside."""
    a, b, near = dots(c.xs, c.ys, 3.4, c.seeds, jitter=1.2)
    return (0.10 + 0.14 * b - near) * (a > 0.55) - 1.0 * (a <= 0.55)
