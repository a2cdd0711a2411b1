"""Statue: a head of white marble."""

from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, gloss, hair_strands, lamp, over, soft_step, tone

CHANGES = "appearance"
WHAT = "White marble with gray veins and no color anywhere, blank eyes, carved hair, a dark wall."
TWEAKS = Tweaks(brow_weight=0.8)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    side = (c.f["light"] - 0.5) * 2
    marble = _marble(c)
    light = 0.18 + 0.92 * lamp(c, -0.55, 0.75, 1.9)
    carved = _carved_hair(c, marble, side)
    face = over(_face(c, marble, light), carved * 0.9, 0.9 * c.m.beard)
    layers = {"back": carved * 0.5, "neck": marble * (0.48 + 0.22 * side * (c.s.x / 0.6).clamp(-1, 1))}
    layers |= {"cloth": _robe(c, marble, side), "ear": marble * 0.62, "face": face, "front": carved}
    return compose(c, wall=_wall(c, side), **layers, frame=0.35, lens=0.10).clamp(0, 1)


def _marble(c: Canvas) -> Tensor:
    marble = tone(c.color["skin"], 0.90, 0.89, 0.86) * (0.96 + 0.06 * c.noise(4.0, 3, on_head=True))
    bent = c.noise(1.6, 5, on_head=True) - 0.5 + 0.22 * (c.noise(5.0, 6, on_head=True) - 0.5)
    vein = soft_step(0.030 - bent.abs(), 0.0, 0.03)
    return over(marble, tone(marble, 0.55, 0.56, 0.58), 0.65 * vein)


def _face(c: Canvas, marble: Tensor, light: Tensor) -> Tensor:
    """Carved lines instead of color: deep ones dark, lips and eyes of the same stone."""
    m = c.m
    face = marble * light + 0.10 * gloss(c, 30.0)
    cut = 0.50 * m.socket * (1 - m.eye) + 0.45 * m.nose_under + 0.25 * m.lip_shadow + 0.30 * m.nose_side
    cut = (cut + 0.40 * m.fold + 0.45 * m.wrinkles + 0.5 * m.frown).clamp(0, 0.85)
    deep = (0.85 * m.nostril + 0.75 * m.mouth_line + 0.85 * m.mouth + 0.6 * m.crease + 0.45 * m.wing).clamp(0, 0.9)
    face = over(face, marble * 0.30, cut)
    face = over(face, marble * 0.22, deep)
    face = over(face, marble * (0.86 * light), 0.6 * m.lip)
    face = over(face, marble * (0.80 + 0.20 * light), m.eye)
    face = over(face, marble * 0.62, m.eye * 0.45 * m.iris_ring)
    face = over(face, marble * 0.30, 0.75 * m.lash)
    return over(face, marble * (0.50 + 0.25 * light), 0.55 * m.brow)


def _carved_hair(c: Canvas, marble: Tensor, side: Tensor) -> Tensor:
    s = c.s
    polish = 0.72 + 0.34 * c.color["hair"].mean(1, keepdim=True)  # polished or rough stone
    locks = 0.52 + 0.34 * soft_step(hair_strands(c), 0.0, 1.1) + 0.22 * side * (s.x / 1.2).clamp(-1, 1)
    return marble * polish * (locks + 0.14 * (-s.y).clamp(-0.5, 1))


def _wall(c: Canvas, side: Tensor) -> Tensor:
    color = c.color["background"]
    gloom = tone(color, 0.17, 0.18, 0.20) * (1.15 - 0.35 * c.ys) + 0.10 * (color.mean(1, keepdim=True) - 0.5)
    return gloom + 0.05 * side * c.xs


def _robe(c: Canvas, marble: Tensor, side: Tensor) -> Tensor:
    folds = soft_step((c.s.x * 5 + 1.5 * c.s.y).sin(), 0.2, 0.5)
    return marble * (0.55 + 0.35 * side * c.xs + 0.12 * folds) * (0.85 + 0.2 * c.color["clothes"].mean(1, keepdim=True))
