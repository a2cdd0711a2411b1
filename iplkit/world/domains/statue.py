"""Statue: white marble with gray veins. No color anywhere, blank eyes, carved hair, a dark wall."""

from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, gloss, hair_strands, lamp, over, soft_step, tone

CHANGES = "appearance"
TWEAKS = Tweaks(brow_weight=0.8)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m, s = c.m, c.s
    side = (c.f["light"] - 0.5) * 2
    marble = tone(c.color["skin"], 0.90, 0.89, 0.86) * (0.96 + 0.06 * c.noise(4.0, 3, on_head=True))
    vein = soft_step(0.030 - (c.noise(1.6, 5, on_head=True) - 0.5 + 0.22 * (c.noise(5.0, 6, on_head=True) - 0.5)).abs(), 0.0, 0.03)
    marble = over(marble, tone(marble, 0.55, 0.56, 0.58), 0.65 * vein)
    light = 0.18 + 0.92 * lamp(c, -0.55, 0.75, 1.9)
    face = marble * light + 0.10 * gloss(c, 30.0)
    cut = (0.50 * m.socket * (1 - m.eye) + 0.45 * m.nose_under + 0.25 * m.lip_shadow + 0.30 * m.nose_side + 0.40 * m.fold + 0.45 * m.wrinkles + 0.5 * m.frown).clamp(0, 0.85)
    face = over(face, marble * 0.30, cut)
    face = over(face, marble * 0.22, (0.85 * m.nostril + 0.75 * m.mouth_line + 0.85 * m.mouth + 0.6 * m.crease + 0.45 * m.wing).clamp(0, 0.9))
    face = over(face, marble * (0.86 * light), 0.6 * m.lip)
    face = over(face, marble * (0.80 + 0.20 * light), m.eye)
    face = over(face, marble * 0.62, m.eye * 0.45 * m.iris_ring)
    face = over(face, marble * 0.30, 0.75 * m.lash)
    face = over(face, marble * (0.50 + 0.25 * light), 0.55 * m.brow)
    strands = hair_strands(c)
    tone_of_hair = 0.72 + 0.34 * c.color["hair"].mean(1, keepdim=True)  # polished or rough stone
    carved = marble * tone_of_hair * (0.52 + 0.34 * soft_step(strands, 0.0, 1.1) + 0.22 * side * (s.x / 1.2).clamp(-1, 1) + 0.14 * (-s.y).clamp(-0.5, 1))
    face = over(face, carved * 0.9, 0.9 * m.beard)
    gloom = tone(face, 0.17, 0.18, 0.20) * (1.15 - 0.35 * c.ys) + 0.10 * (c.color["background"].mean(1, keepdim=True) - 0.5)
    wall = gloom + 0.05 * side * c.xs
    stone = marble * (0.55 + 0.35 * side * c.xs + 0.12 * soft_step(torch_sin(s), 0.2, 0.5)) * (0.85 + 0.2 * c.color["clothes"].mean(1, keepdim=True))
    neck = marble * (0.48 + 0.22 * side * (s.x / 0.6).clamp(-1, 1))
    return compose(c, wall=wall, back=carved * 0.5, neck=neck, cloth=stone, ear=marble * 0.62, face=face, front=carved, frame=0.35, lens=0.10).clamp(0, 1)


def torch_sin(s) -> Tensor:
    """Folds of a stone robe."""
    return (s.x * 5 + 1.5 * s.y).sin()
