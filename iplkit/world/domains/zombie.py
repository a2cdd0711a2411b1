"""Zombie: a walking dead."""

import torch
from torch import Tensor

from iplkit.world.domains.photo import face_paint
from iplkit.world.geometry import Tweaks, bump
from iplkit.world.shading import Canvas, compose, eyes_over, lamp, mouth_over, over, painted_hair, saturate, soft_step, tone

CHANGES = "appearance"
WHAT = "Green rotten skin, sunken sockets with blind eyes, hollow cheeks, wounds and blood, a dead light."
TWEAKS = Tweaks(eye_size=1.06, iris=0.75, pupil=0.55, nose=0.92, lips=0.6)
EYES = 0.49  # middle of an eye, head units


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    dead = (0.25 + 0.75 * c.color["skin"].mean(1, keepdim=True)) * tone(c.color["skin"], 0.72, 0.95, 0.55)
    mottle = c.noise(3.2, 11, on_head=True)
    c.color["skin"] = over(dead, dead * tone(dead, 0.62, 0.70, 0.80), soft_step(mottle, 0.56, 0.25))
    c.color["lips"] = c.color["skin"] * tone(dead, 0.55, 0.42, 0.45)
    hair = saturate(painted_hair(c, 0.5, 0.05), 0.45) * 0.72
    face = _eyes(_bloody(_gaunt(c), c), c)
    dirt = soft_step(c.noise(5.0, 6), 0.52, 0.2)
    cloth = saturate(c.color["clothes"], 0.45) * (0.62 - 0.30 * dirt)
    layers = {"back": hair * 0.55, "neck": dead * 0.45, "cloth": cloth, "ear": dead * 0.5, "face": face, "front": hair}
    return compose(c, wall=_fog(c), **layers, frame=0.06, lens=0.15).clamp(0, 1)


def _gaunt(c: Canvas) -> Tensor:
    """The face in a light from above, with hollow sockets and cheeks."""
    a, v = c.s.u.abs(), c.s.v
    light = 0.42 + 0.72 * lamp(c, -0.8, 0.7)
    face = face_paint(c, light)
    hollow = bump(a, v, EYES, 0.03, 0.30, 0.25)
    face = over(face, tone(face, 0.07, 0.05, 0.08), (0.85 * hollow * (1 - c.m.eye)).clamp(0, 1))
    face = over(face, face * 0.42, 0.75 * bump(a, v, 0.66, 0.88, 0.17, 0.34))
    return mouth_over(face, c, light)


def _bloody(face: Tensor, c: Canvas) -> Tensor:
    """Two wounds, and blood from a corner of the mouth."""
    s = c.s
    wound = soft_step(torch.maximum(_wound(c, 21), _wound(c, 22)), 0.0, 0.07)
    flesh = over(tone(face, 0.42, 0.03, 0.04), tone(face, 0.13, 0.0, 0.01), soft_step(c.noise(10.0, 12, True), 0.5, 0.2))
    face = over(face, flesh, wound)
    drip = soft_step(0.06 - (s.u - 0.10 * torch.sin(s.v * 4) - 0.12).abs(), 0.0, 0.03)
    drip = drip * soft_step(s.v, 1.18, 0.06) * soft_step(1.78 - s.v, 0.0, 0.1)
    return over(face, tone(face, 0.50, 0.03, 0.05), 0.9 * drip)


def _wound(c: Canvas, salt: int) -> Tensor:
    """A torn spot on the head, positive inside; where it is depends on the picture's seed."""
    where = c.noise(0.001, salt)
    other = c.noise(0.001, salt + 40)
    u, v = (where - 0.5) * 2.2, -0.75 + 2.0 * other
    ragged = 0.10 * (c.noise(6.0, 13, on_head=True) - 0.5)
    return 0.19 + ragged - (((c.s.u - u)) ** 2 + ((c.s.v - v) * 0.8) ** 2 + 1e-9).sqrt()


def _eyes(face: Tensor, c: Canvas) -> Tensor:
    """Brows, beard, and eyes that see nothing."""
    m = c.m
    face = over(face, c.color["hair"] * 0.3, 0.8 * m.brow)
    face = over(face, c.color["hair"] * 0.4, 0.8 * m.beard)
    c.color["eyes"] = tone(face, 0.82, 0.84, 0.66) + 0.0 * c.color["eyes"]
    face = eyes_over(face, c, white=(1.0, 0.96, 0.72), shade=0.1, ring=0.25)
    return over(face, 0.05 + 0.0 * face, 0.8 * m.lash)


def _fog(c: Canvas) -> Tensor:
    color = c.color["background"]
    fog = over(tone(color, 0.10, 0.13, 0.11), saturate(color, 0.35) * 0.42, 0.55)
    return over(fog, tone(color, 0.34, 0.40, 0.30), 0.55 * soft_step(c.noise(2.6, 3) + 0.25 * c.ys, 0.5, 0.5))
