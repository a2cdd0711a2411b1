"""Ukiyo-e: a woodblock print."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, eyes_over, ink_lines, outline, over, saturate, soft_step, tone

CHANGES = "both"
WHAT = "Narrow eyes, high brows and a small mouth, flat color on cream paper, black key lines, a red sun over an indigo sea."
TWEAKS = Tweaks(
    eye_size=0.92,
    eye_open=-0.42,
    iris=0.9,
    nose=0.85,
    mouth=0.66,
    lips=1.0,
    chin=0.10,
    width=0.94,
    brow_weight=0.8,
    brow_drop=-0.14,
    hair_volume=0.10,
)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    paper, key = tone(c.color["skin"], 0.93, 0.87, 0.72), tone(c.color["skin"], 0.07, 0.07, 0.10)
    indigo = tone(paper, 0.13, 0.24, 0.45)
    skin = over(paper, c.color["skin"], 0.35)
    flat = over(c.color["hair"] * 0.55, tone(paper, 0.08, 0.08, 0.12), 0.55)
    comb = soft_step(torch.sin(c.s.x * 22 + 2 * torch.sin(c.s.y * 2)), 0.80, 0.3)
    hair = over(flat, flat + 0.22, 0.5 * comb)
    face = _face(c, skin * tone(paper, 1.02, 0.99, 0.93), flat, key)
    layers = {"back": hair, "neck": face * 0 + skin * 0.95, "cloth": _kimono(c, indigo, paper), "ear": skin}
    rgb = compose(c, wall=_sea(c, indigo, paper), **layers, face=face, front=hair, frame=0.08, lens=0.1)
    rgb = over(rgb, key, outline(c, 0.015))
    wood = torch.sin(c.ys * 60 + 6 * c.noise(2.5, 3))
    return (rgb * (0.975 + 0.025 * wood)).clamp(0, 1)


def _face(c: Canvas, face: Tensor, flat: Tensor, key: Tensor) -> Tensor:
    m = c.m
    face = over(face, tone(face, 0.76, 0.20, 0.16), 0.92 * m.lip)
    face = over(face, tone(face, 0.25, 0.05, 0.05), m.mouth)
    face = over(face, flat, m.brow)
    face = over(face, flat, 0.8 * m.beard)
    c.color["eyes"] = c.color["eyes"] * 0.35
    face = eyes_over(face, c, white=(0.96, 0.93, 0.84), shade=0.0)
    return over(face, key, ink_lines(c))


def _sea(c: Canvas, indigo: Tensor, paper: Tensor) -> Tensor:
    """An indigo band above, a wave with its foam below, and the sun."""
    sea = over(indigo, saturate(c.color["background"], 0.8) * tone(paper, 0.75, 0.9, 1.0), 0.30)
    wall = over(paper * tone(paper, 0.98, 0.98, 0.92), sea, soft_step(-c.ys, 0.72, 0.35))
    wave = c.ys - 0.42 - 0.05 * torch.sin(c.xs * 11) - 0.02 * torch.sin(c.xs * 23)
    wall = over(wall, sea, soft_step(wave, 0.0, 0.02))
    wall = over(wall, paper, soft_step(0.02 - (wave - 0.05).abs(), 0.0, 0.02))
    sun = 0.30 - ((c.xs - 0.58) ** 2 + (c.ys + 0.42) ** 2 + 1e-9).sqrt()
    return over(wall, tone(paper, 0.82, 0.22, 0.14), soft_step(sun, 0.0, 0.02))


def _kimono(c: Canvas, indigo: Tensor, paper: Tensor) -> Tensor:
    pattern = soft_step(torch.sin(c.s.x * 9) * torch.sin(c.s.y * 9), 0.35, 0.12)
    return over(over(c.color["clothes"], indigo, 0.35), paper, 0.75 * pattern)
