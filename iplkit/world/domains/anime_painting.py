"""Anime painting: a drawn heroine before a watercolor sky."""

from torch import Tensor

from iplkit.world.geometry import Tweaks, bump
from iplkit.world.shading import (
    Canvas,
    compose,
    eyes_over,
    hair_strands,
    lamp,
    mouth_over,
    outline,
    over,
    saturate,
    soft_step,
    tone,
)

CHANGES = "both"
WHAT = "Huge eyes, a dot of a nose and a pointed chin, two tones a color, bright hair with a ring of light, a washed sky."
TWEAKS = Tweaks(
    eye_size=1.75,
    eye_open=0.35,
    iris=1.35,
    pupil=1.3,
    nose=0.35,
    mouth=0.58,
    lips=0.6,
    chin=0.62,
    width=1.06,
    brow_weight=0.5,
    brow_drop=-0.16,
    hair_volume=0.24,
    neck=0.62,
)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    skin = over(saturate(c.color["skin"], 1.1), tone(c.color["skin"], 1.0, 0.90, 0.84), 0.35)
    lit = soft_step(lamp(c), 0.70, 0.06)
    bright = saturate(c.color["hair"], 1.5) * 1.15 + 0.04
    ink = tone(skin, 0.16, 0.10, 0.20)
    face, hair = over(_face(c, skin, lit, bright), ink, c.m.lash), _hair(c, bright)
    cloth = saturate(c.color["clothes"], 1.3)
    neck = skin * tone(skin, 0.80, 0.68, 0.72)
    layers = {"back": hair * 0.74, "neck": neck, "cloth": over(cloth * 0.7, cloth, lit), "ear": skin * 0.86}
    rgb = compose(c, wall=_sky(c), **layers, face=face, front=hair, frame=0.2)
    return over(rgb, ink, 0.9 * outline(c, 0.013)).clamp(0, 1)


def _face(c: Canvas, skin: Tensor, lit: Tensor, bright: Tensor) -> Tensor:
    m = c.m
    face = over(skin * tone(skin, 0.86, 0.74, 0.78), skin, lit)
    blush = bump(c.s.u.abs(), c.s.v, 0.58, 0.55, 0.17, 0.09)
    face = over(face, tone(face, 0.98, 0.55, 0.55), 0.55 * blush)
    face = over(face, face * 0.6, 0.7 * m.nostril)
    face = mouth_over(face, c)
    face = over(face, bright * 0.5, 0.95 * m.brow)
    face = over(face, bright * 0.8, 0.75 * m.beard)
    c.color["eyes"] = saturate(c.color["eyes"], 1.7) * (1.0 + 0.75 * ((c.s.v + 0.03) * 4).clamp(-0.8, 1))
    return eyes_over(face, c, white=(1.0, 1.0, 1.0), shade=0.3, ring=0.9)


def _hair(c: Canvas, bright: Tensor) -> Tensor:
    """Two tones with a hard border, and the ring of light around the head."""
    cut = soft_step(hair_strands(c) * 0.5 + 0.9 * (-c.s.y - 0.35), 0.0, 0.1)
    ring = soft_step(0.10 - (c.s.v + 1.0 + 0.2 * c.s.x**2 + 0.05 * hair_strands(c)).abs(), 0.0, 0.04)
    return over(over(bright * 0.66, bright, cut), 0.55 * bright + 0.45, 0.85 * ring)


def _sky(c: Canvas) -> Tensor:
    color = c.color["background"]
    wash = c.noise(2.2, 2) * 0.6 + c.noise(6.0, 4) * 0.4
    sky = over(tone(color, 0.62, 0.80, 0.98), over(color, tone(color, 1, 1, 1), 0.45), 0.5)
    return over(sky, tone(color, 1.0, 1.0, 1.0), soft_step(wash + 0.18 * c.ys, 0.55, 0.22))
