"""Pixar character: a rendered toy."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks, bump
from iplkit.world.shading import Canvas, compose, eyes_over, gloss, lamp, mouth_over, over, saturate, tone

CHANGES = "both"
WHAT = "A round wide head with big eyes and a big nose, smooth shiny skin, a warm lamp in front and a cool one behind."
TWEAKS = Tweaks(
    eye_size=1.38,
    eye_open=0.45,
    iris=1.05,
    nose=1.18,
    mouth=1.12,
    chin=-0.22,
    width=1.20,
    brow_weight=1.45,
    brow_drop=-0.12,
    hair_volume=0.16,
    neck=0.58,
)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    side = (c.f["light"] - 0.5) * 2
    warm, cool = tone(c.color["skin"], 1.12, 0.98, 0.80), tone(c.color["skin"], 0.50, 0.72, 1.05)
    skin, ball = saturate(c.color["skin"], 1.35), saturate(c.color["hair"], 1.25)
    face, hair = _face(c, skin, ball, warm, cool), _hair(c, ball, cool)
    cloth = saturate(c.color["clothes"], 1.35) * (0.75 + 0.4 * side * c.xs) + 0.10 * cool * (c.xs * -side).clamp(0, 1)
    layers = {"back": hair * 0.45, "neck": skin * 0.50 * warm, "cloth": cloth, "ear": skin * 0.75 * warm}
    return compose(c, wall=_wall(c, side), **layers, face=face, front=hair, frame=0.12, lens=0.25).clamp(0, 1)


def _face(c: Canvas, skin: Tensor, ball: Tensor, warm: Tensor, cool: Tensor) -> Tensor:
    m = c.m
    key = lamp(c, -0.6, 0.8)
    rim = (1 - c.normal[:, 2:]).clamp(0, 1) ** 1.5
    face = skin * (0.30 + 0.85 * key) * warm + 0.42 * rim * cool * (0.4 + skin) + 0.30 * gloss(c, 26.0)
    glow = tone(face, 1.0, 0.42, 0.30)
    cheeks = bump(c.s.u.abs(), c.s.v, 0.66, 0.58, 0.30, 0.26)
    face = over(face, face * glow + 0.12 * glow, 0.45 * (cheeks + m.nose_tip).clamp(0, 1))
    face = over(face, skin**2 * 0.4, (0.5 * m.nose_under + 0.3 * m.lip_shadow + 0.8 * m.nostril).clamp(0, 0.9))
    face = mouth_over(face, c, 0.55 + 0.6 * key)
    face = over(face, ball * 0.5, 0.97 * m.brow)
    face = over(face, ball * (0.5 + 0.5 * key), 0.92 * m.beard)
    c.color["eyes"] = saturate(c.color["eyes"], 1.4) * (0.9 + 1.6 * (c.s.v + 0.02).clamp(-0.2, 0.25))
    face = eyes_over(face, c, white=(1.0, 1.0, 1.0), shade=0.45)
    return over(face, skin * 0.25, 0.75 * m.lash)


def _hair(c: Canvas, ball: Tensor, cool: Tensor) -> Tensor:
    """Clumps of modeled hair with a broad shine."""
    clump = torch.sin(c.s.x * 6 + 2 * torch.sin(c.s.y * 3) * c.f["curl"])
    shine = torch.exp(-(((c.s.v + 1.05 + 0.2 * c.s.x**2) / 0.20) ** 2))
    return ball * (0.55 + 0.45 * (-c.s.y * 0.9).sigmoid() + 0.16 * clump) + 0.40 * ball * shine + 0.10 * cool * (c.s.rim < 0.05)


def _wall(c: Canvas, side: Tensor) -> Tensor:
    """A teal room with a warm beam."""
    color = c.color["background"]
    teal = over(tone(color, 0.05, 0.26, 0.34), saturate(color, 1.3) * 0.6, 0.35)
    beam = torch.exp(-(((c.xs + 0.7 * side + 0.5 * c.ys) / 0.7) ** 2))
    return over(teal, tone(color, 1.0, 0.72, 0.34), 0.62 * beam)
