"""Photo: the source domain."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks, bump, edge
from iplkit.world.shading import Canvas, eyes_over, gloss, lamp, mouth_over, over, painted_hair

CHANGES = "nothing"
WHAT = "Soft light from one side, skin with relief, hair with strands, a plain wall and a little sensor noise."
TWEAKS = Tweaks()


def face_paint(c: Canvas, light: Tensor) -> Tensor:
    """Skin with the shadows of sockets, nose and lips, folds and wrinkles, ``[N, 3, H, W]``; other domains use it too."""
    m, skin = c.m, c.color["skin"]
    dark = skin * skin * 0.55
    rgb = _flushed_skin(c) * light
    shadow = 0.46 * m.socket * (1 - m.eye) + 0.46 * m.nose_under + 0.22 * m.lip_shadow + 0.26 * m.nose_side + 0.20 * m.corner
    rgb = over(rgb, dark, (shadow + 0.55 * m.fold + 0.75 * m.wrinkles + 0.6 * m.frown).clamp(0, 0.85))
    rgb = over(rgb, dark * 0.45, 0.85 * m.nostril)
    rgb = over(rgb, dark * 0.8, 0.55 * m.wing)
    return rgb + 0.16 * m.nose_tip * light * skin + 0.10 * m.nose_ridge * skin * light


def _flushed_skin(c: Canvas) -> Tensor:
    """Skin a little uneven, with red cheeks."""
    skin = c.color["skin"]
    cheeks = bump(c.s.u.abs(), c.s.v, 0.62, 0.58, 0.28, 0.24)
    flush = torch.cat([torch.ones_like(cheeks), 0.55 * torch.ones_like(cheeks), 0.55 * torch.ones_like(cheeks)], 1)
    return over(skin * (1 + 0.03 * (c.noise(3.0, 3, on_head=True) - 0.5)), skin * flush, 0.16 * cheeks)


def _behind(c: Canvas, hair: Tensor) -> Tensor:
    """Wall, hair behind the head, neck, clothes and ears."""
    m, s = c.m, c.s
    side = (c.f["light"] - 0.5) * 2
    wall = c.color["background"] * (0.94 - 0.14 * c.ys + 0.12 * side * c.xs) * (1 - 0.10 * (c.xs**2 + c.ys**2))
    rgb = over(wall, hair * 0.62, m.hair_back)
    lit = 0.62 + 0.14 * side * (s.x / 0.6).clamp(-1, 1)
    neck = c.color["skin"] * lit * (0.70 + 0.30 * ((s.y - 1.7) * 1.6).clamp(0, 1))  # in the chin's shadow
    rgb = over(rgb, neck, m.neck)
    cloth = c.color["clothes"] * (0.86 + 0.25 * side * c.xs + 0.10 * torch.sin(s.x * 7 + 1.5 * s.y))
    rgb = over(rgb, cloth, m.clothes)
    return over(rgb, c.color["skin"] * (0.72 + 0.15 * side * c.s.x.sign()), m.ear * (1 - m.head))


def _face(c: Canvas) -> Tensor:
    """The head's front: skin, mouth, brows, beard, eyes."""
    m, s = c.m, c.s
    light = (0.52 + 0.60 * lamp(c)) * (0.72 + 0.28 * edge(s.rim - 0.05, 0.14))  # the outline turns away from every lamp
    face = face_paint(c, light) + 0.14 * gloss(c, 14.0) * edge(s.rim - 0.1, 0.2)
    face = mouth_over(face, c, light)
    face = over(face, c.color["hair"] * 0.38 + 0.02, 0.97 * m.brow)
    face = over(face, c.color["hair"] * (0.65 + 0.35 * light) * 0.85, 0.90 * m.beard)
    face = eyes_over(face, c)
    face = over(face, 0.14 * c.color["skin"], 0.92 * m.lash)
    return over(face, 0.50 * c.color["skin"] ** 2, 0.55 * m.crease + 0.40 * m.lower_lid)


def paint(c: Canvas) -> Tensor:
    """The photo of a portrait, ``[N, 3, H, W]`` in 0..1."""
    m, hair = c.m, painted_hair(c)
    rgb = over(_behind(c, hair), _face(c), m.head)
    rgb = over(rgb, hair, m.hair_front)
    rgb = over(rgb, 0.75 * rgb + 0.20, 0.45 * m.lens)
    rgb = over(rgb, 0.08 + 0.0 * rgb, 0.95 * m.glasses)
    return (rgb + 0.006 * c.grain()).clamp(0, 1)
