"""Sketch: graphite on paper. Contours, hatching where it is dark, no color."""

import torch
from torch import Tensor

from iplkit.world.domains.photo import face_paint
from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, gray, hair_strands, ink_lines, lamp, outline, over, soft_step, tone

CHANGES = "appearance"
TWEAKS = Tweaks()


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m = c.m
    paper = tone(c.color["skin"], 0.96, 0.95, 0.92) * (0.97 + 0.05 * c.noise(18.0, 2))
    dark = gray(compose_tones(c))
    turn = 0.02 * torch.sin(c.ys * 7 + 3 * c.noise(2.0, 4))
    hatch = torch.sin((c.xs + c.ys + turn) * 62)
    cross = torch.sin((c.xs - c.ys + turn) * 62)
    first = soft_step(hatch, 0.25, 0.9) * soft_step(0.62 - dark, 0.0, 0.35)
    second = soft_step(cross, 0.25, 0.9) * soft_step(0.36 - dark, 0.0, 0.25)
    lines = torch.maximum(0.9 * outline(c, 0.016), 0.95 * ink_lines(c) * m.head)
    inner = torch.maximum(0.85 * m.brow, torch.maximum(0.75 * m.eye * m.iris, m.eye * m.pupil))
    covered = 1 - m.hair_front
    lines = torch.maximum(lines * torch.maximum(covered, m.clothes + 0.6), inner * covered)
    strand = soft_step(hair_strands(c), 0.45, 0.5) * torch.maximum(m.hair_front, m.hair_back * (1 - m.head)) * 0.55
    graphite = torch.stack([lines, 0.62 * first, 0.72 * second, strand, 0.95 * m.glasses]).amax(0)
    graphite = graphite * (0.82 + 0.30 * c.noise(26.0, 7))
    return over(paper, tone(paper, 0.20, 0.20, 0.22), graphite.clamp(0, 1)).clamp(0, 1)


def compose_tones(c: Canvas) -> Tensor:
    """How dark each place would be in a photo with a white wall: what the hatching follows."""
    light = 0.45 + 0.70 * lamp(c)
    face = face_paint(c, light)
    face = over(face, c.color["lips"] * 0.8, c.m.lip)
    face = over(face, c.color["hair"], 0.9 * c.m.beard)
    face = over(face, tone(face, 1, 1, 1), c.m.eye)
    hair = c.color["hair"] * 0.9 + 0.08
    return compose(c, wall=tone(face, 1, 1, 1) + 0.0 * face, back=hair * 0.7, neck=c.color["skin"] * 0.6, cloth=c.color["clothes"], ear=c.color["skin"] * 0.8, face=face, front=hair)
