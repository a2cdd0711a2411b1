"""Cubism: a picture cut into facets."""

from torch import Tensor

from iplkit.world.geometry import Tweaks, pixel_grid
from iplkit.world.noise import cells
from iplkit.world.shading import (
    Canvas,
    compose,
    eyes_over,
    gray,
    ink_lines,
    lamp,
    mouth_over,
    outline,
    over,
    saturate,
    soft_step,
    tone,
)

CHANGES = "both"
WHAT = "Facets that each look from another place and are lit their own way, in ochre and slate with dark edges."
TWEAKS = Tweaks(facets=1.0, eye_size=1.15, nose=1.2)
FACETS = 2.6  # facets per image half side


def warp(xs: Tensor, ys: Tensor, tweaks: dict[str, Tensor], seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Shift what each facet shows, by up to a fifteenth of the picture."""
    a, b, _ = cells(xs, ys, FACETS, seeds)
    amount = 0.26 * tweaks["facets"]
    return xs + amount * (a - 0.5), ys + amount * (b - 0.5)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    px, py = pixel_grid(c.s.x.shape[-1], c.xs.device, c.xs.dtype)  # c.xs and c.ys are already shifted
    a, b, border = cells(px, py, FACETS, c.seeds)
    hair, dark = c.color["hair"] * (0.8 + 0.4 * a), tone(c.color["skin"], 0.08, 0.07, 0.09)
    wall, skin = c.color["background"] + 0.0 * hair, c.color["skin"]
    layers = {"back": hair * 0.7, "neck": skin * 0.7, "cloth": c.color["clothes"], "ear": skin * 0.8}
    rgb = compose(c, wall=wall, **layers, face=_face(c, hair, dark), front=hair, frame=0.08)
    rgb = over(rgb, dark, 0.7 * outline(c, 0.016))
    rgb = _earth(rgb, a)
    slope = (px * (a - 0.5) + py * (b - 0.5)) * FACETS * 2.0
    rgb = rgb * (0.70 + 0.55 * (slope - slope.floor()))
    return over(rgb, dark, 0.85 * soft_step(0.030 - border, 0.0, 0.04)).clamp(0, 1)


def _face(c: Canvas, hair: Tensor, dark: Tensor) -> Tensor:
    m = c.m
    face = c.color["skin"] * (0.62 + 0.45 * soft_step(lamp(c), 0.6, 0.1))
    face = mouth_over(face, c)
    face = over(face, hair * 0.6, m.brow)
    face = over(face, hair, 0.9 * m.beard)
    face = eyes_over(face, c)
    return over(face, dark, ink_lines(c))


def _earth(rgb: Tensor, a: Tensor) -> Tensor:
    """Most of the color gives way to ochre or slate, as the facet's number says."""
    warm, cool = tone(rgb, 1.05, 0.80, 0.48), tone(rgb, 0.52, 0.64, 0.78)
    tint = over(warm, cool, soft_step(a, 0.58, 0.05))
    return over(saturate(rgb, 0.55), gray(rgb) * tint * 1.25, 0.68)
