"""Tolkien elf: one of the Firstborn in a forest."""

import torch
from torch import Tensor

from iplkit.world.domains.photo import face_paint
from iplkit.world.geometry import Tweaks
from iplkit.world.shading import (
    Canvas,
    blur,
    compose,
    eyes_over,
    gloss,
    lamp,
    mouth_over,
    over,
    painted_hair,
    saturate,
    soft_step,
    tone,
)

CHANGES = "both"
WHAT = "Long pointed ears, a slim pale face, long fair hair with a silver circlet, and green light from a forest."
TWEAKS = Tweaks(
    eye_size=1.12,
    eye_open=0.05,
    nose=0.82,
    chin=0.36,
    width=0.93,
    brow_weight=0.7,
    brow_drop=-0.06,
    ear_point=0.95,
    hair_minimum=0.78,
)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    _fair(c)
    skin, hair = c.color["skin"], painted_hair(c, 0.22, 0.45)
    green = over(c.color["clothes"] * 0.5, tone(skin, 0.16, 0.34, 0.20), 0.70)
    cloth = green * (0.9 + 0.2 * torch.sin(c.s.x * 9))
    layers = {"back": hair * 0.72, "neck": skin * 0.74, "cloth": cloth, "ear": skin * 0.0, "face": _face(c), "front": hair}
    rgb = compose(c, wall=_forest(c), **layers, frame=0.2)
    lobe = skin * (0.92 - 0.25 * soft_step(c.s.x.abs(), 1.35, 0.5))
    rgb = over(rgb, lobe, c.m.ear * (1 - c.m.head))  # the ears come through the hair
    rgb = _circlet(rgb, c)
    return (rgb * 0.90 + 0.17 * blur(rgb, 0.05 / c.pixel)).clamp(0, 1)  # a bloom


def _fair(c: Canvas) -> None:
    """Skin paler, hair lighter, eyes brighter, in the canvas itself."""
    skin = c.color["skin"]
    c.color["skin"] = over(skin, tone(skin, 0.93, 0.93, 0.88), 0.45)
    c.color["hair"] = over(c.color["hair"], tone(skin, 0.93, 0.89, 0.74), 0.45)
    c.color["eyes"] = saturate(over(c.color["eyes"], tone(skin, 0.35, 0.80, 0.75), 0.5), 1.4)


def _face(c: Canvas) -> Tensor:
    m = c.m
    light = 0.62 + 0.48 * lamp(c)
    face = face_paint(c, light) * tone(light, 0.98, 1.02, 0.98) + 0.16 * gloss(c, 9.0)
    face = mouth_over(face, c, light)
    face = over(face, c.color["hair"] * 0.45, 0.95 * m.brow)
    face = over(face, c.color["hair"] * 0.7, 0.55 * m.beard)
    face = eyes_over(face, c, white=(0.97, 0.99, 0.97))
    return over(face, 0.25 * c.color["skin"], 0.9 * m.lash)


def _forest(c: Canvas) -> Tensor:
    """Leaves in two greens with a pale light behind the head."""
    color = c.color["background"]
    leaves = c.noise(7.0, 2) * 0.6 + c.noise(15.0, 3) * 0.4
    forest = over(tone(color, 0.05, 0.20, 0.10), tone(color, 0.42, 0.64, 0.26), soft_step(leaves, 0.55, 0.35))
    glow = torch.exp(-1.8 * (c.xs**2 + (c.ys + 0.25) ** 2))
    wall = over(forest, color * tone(color, 0.7, 1.0, 0.7), 0.18)
    return over(wall, tone(color, 0.88, 1.0, 0.74), 0.65 * glow)


def _circlet(rgb: Tensor, c: Canvas) -> Tensor:
    """A silver band on the forehead with a green gem."""
    band = soft_step(0.026 - (c.s.v + 0.80 + 0.10 * c.s.u**2).abs(), 0.0, 0.02) * c.m.head
    gem = soft_step(0.075 - (c.s.u**2 + (c.s.v + 0.72) ** 2 + 1e-9).sqrt(), 0.0, 0.03)
    rgb = over(rgb, tone(rgb, 0.90, 0.93, 0.95), 0.95 * band)
    return over(rgb, tone(rgb, 0.20, 0.85, 0.62), gem)
