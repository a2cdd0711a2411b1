"""Sketch: graphite on paper."""

import torch
from torch import Tensor

from iplkit.world.domains.photo import face_paint
from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, gray, hair_strands, ink_lines, lamp, outline, over, soft_step, tone

CHANGES = "appearance"
WHAT = "Drawn contours, hatching where it is dark, paper where it is light, and no color."
TWEAKS = Tweaks()


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m = c.m
    paper = tone(c.color["skin"], 0.96, 0.95, 0.92) * (0.97 + 0.05 * c.noise(18.0, 2))
    first, second = _hatching(c, gray(_photo_tones(c)))
    strand = soft_step(hair_strands(c), 0.45, 0.5) * torch.maximum(m.hair_front, m.hair_back * (1 - m.head)) * 0.55
    graphite = torch.stack([_drawn(c), 0.62 * first, 0.72 * second, strand, 0.95 * m.glasses]).amax(0)
    graphite = graphite * (0.82 + 0.30 * c.noise(26.0, 7))
    return over(paper, tone(paper, 0.20, 0.20, 0.22), graphite.clamp(0, 1)).clamp(0, 1)


def _hatching(c: Canvas, tones: Tensor) -> tuple[Tensor, Tensor]:
    """Strokes where it is dim, crossed by others where it is dark."""
    turn = 0.02 * torch.sin(c.ys * 7 + 3 * c.noise(2.0, 4))  # no hand is straight
    hatch = torch.sin((c.xs + c.ys + turn) * 62)
    cross = torch.sin((c.xs - c.ys + turn) * 62)
    first = soft_step(hatch, 0.25, 0.9) * soft_step(0.62 - tones, 0.0, 0.35)
    return first, soft_step(cross, 0.25, 0.9) * soft_step(0.36 - tones, 0.0, 0.25)


def _drawn(c: Canvas) -> Tensor:
    """Contours and the lines of the face; brows and irises filled; nothing under the hair."""
    m = c.m
    lines = torch.maximum(0.9 * outline(c, 0.016), 0.95 * ink_lines(c) * m.head)
    inner = torch.maximum(0.85 * m.brow, torch.maximum(0.75 * m.eye * m.iris, m.eye * m.pupil))
    covered = 1 - m.hair_front
    return torch.maximum(lines * torch.maximum(covered, m.clothes + 0.6), inner * covered)


def _photo_tones(c: Canvas) -> Tensor:
    """How dark each place would be in a photo with a white wall: what the hatching follows."""
    skin = c.color["skin"]
    face = face_paint(c, 0.45 + 0.70 * lamp(c))
    face = over(face, c.color["lips"] * 0.8, c.m.lip)
    face = over(face, c.color["hair"], 0.9 * c.m.beard)
    face = over(face, tone(face, 1, 1, 1), c.m.eye)
    hair = c.color["hair"] * 0.9 + 0.08
    layers = {"back": hair * 0.7, "neck": skin * 0.6, "cloth": c.color["clothes"], "ear": skin * 0.8}
    return compose(c, wall=tone(face, 1, 1, 1) + 0.0 * face, **layers, face=face, front=hair)
