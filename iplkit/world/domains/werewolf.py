"""Werewolf: a beast at full moon."""

import torch
from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.shading import Canvas, compose, eyes_over, lamp, mouth_over, over, soft_step, tone

CHANGES = "both"
WHAT = "Fur over the whole face, a snout with a black nose, ears on top of the head, yellow eyes, fangs, a moon behind."
TWEAKS = Tweaks(
    eye_size=0.98,
    eye_open=-0.05,
    nose=1.25,
    mouth=1.12,
    width=1.08,
    brow_weight=2.0,
    brow_drop=0.10,
    ear_point=0.55,
    ear_high=1.0,
    snout=0.55,
    hair_volume=0.14,
    hair_minimum=0.55,
    neck=1.25,
)
MOUTH_Y = 1.10


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m, s = c.m, c.s
    fur = over(c.color["hair"], over(tone(c.color["hair"], 0.34, 0.25, 0.18), c.color["skin"], 0.25), 0.55)
    tuft = _tufts(c)
    coat = fur * (1 + 0.42 * tuft)
    face = _eyes(_snout(_muzzle(c, fur, coat, tuft), c), c, fur)
    mane = over(c.color["hair"], fur, 0.55) * (0.75 + 0.40 * tuft)
    cloth = c.color["clothes"] * 0.45 * (0.9 + 0.4 * soft_step(c.noise(8.0, 6), 0.5, 0.2))
    inner = soft_step(0.5 - (s.x.abs() - 0.72).abs() * 6, 0.0, 0.4)
    ear = over(fur * 0.7, tone(face, 0.55, 0.34, 0.30), 0.45 * inner)
    layers = {"back": mane * 0.5, "neck": coat * 0.45, "cloth": cloth, "ear": ear, "face": face, "front": mane}
    rgb = compose(c, wall=_night(c), **layers, frame=0.05, lens=0.15)
    return over(rgb, ear, m.ear * (1 - m.head) * soft_step(-s.y, 0.7, 0.2)).clamp(0, 1)


def _tufts(c: Canvas) -> Tensor:
    """Fur that grows away from the nose, -1 to 1."""
    s = c.s
    away = torch.atan2(s.u, s.v - 0.4)
    return torch.sin(away * 26 + 3 * torch.sin(s.v * 7)) * 0.6 + torch.sin(s.v * 17 + 5 * s.u) * 0.4


def _muzzle(c: Canvas, fur: Tensor, coat: Tensor, tuft: Tensor) -> Tensor:
    """The coat in the lamp's light, paler around the mouth, dark in the sockets."""
    m, s = c.m, c.s
    light = 0.35 + 0.75 * lamp(c)
    face = coat * light
    muzzle = torch.exp(-((s.u / 0.50) ** 4) - (((s.v - 0.95) / 0.50) ** 4))
    face = over(face, over(fur, tone(face, 0.74, 0.66, 0.54), 0.55) * (1 + 0.15 * tuft) * light, 0.75 * muzzle)
    return over(face, fur * 0.30, (0.75 * m.socket * (1 - m.eye) + 0.6 * m.frown + 0.4 * m.fold).clamp(0, 0.9))


def _snout(face: Tensor, c: Canvas) -> Tensor:
    """Black lips, two fangs, a black nose."""
    s = c.s
    c.color["lips"] = tone(face, 0.10, 0.07, 0.07) + 0.0 * c.color["lips"]
    face = mouth_over(face, c)
    below = s.v - MOUTH_Y
    fang = soft_step(0.052 - (s.u.abs() - 0.21).abs() - 0.22 * below.clamp_min(0), 0.0, 0.02)
    fang = fang * soft_step(s.v, MOUTH_Y - 0.02, 0.03) * soft_step(0.19 - below, 0.0, 0.04)
    face = over(face, tone(face, 0.97, 0.95, 0.86), fang)
    nose = 1 - (s.u / 0.23) ** 2 - ((s.v - 0.66) / 0.15) ** 2
    return over(face, tone(face, 0.05, 0.05, 0.06) + 0.25 * soft_step(nose, 0.75, 0.5), soft_step(nose, 0.1, 0.25))


def _eyes(face: Tensor, c: Canvas, fur: Tensor) -> Tensor:
    face = over(face, fur * 0.28, 0.9 * c.m.brow)
    c.color["eyes"] = tone(face, 1.0, 0.80, 0.12) + 0.0 * c.color["eyes"]
    face = eyes_over(face, c, white=(0.98, 0.88, 0.45), shade=0.5, ring=0.7)
    return over(face, 0.02 + 0.0 * face, c.m.lash)


def _night(c: Canvas) -> Tensor:
    """A dark sky, the moon and its glow."""
    color = c.color["background"]
    night = over(tone(color, 0.05, 0.07, 0.17), color * tone(color, 0.25, 0.28, 0.45), 0.5)
    moon = 0.36 - ((c.xs - 0.52) ** 2 + (c.ys + 0.56) ** 2 + 1e-9).sqrt()
    sky = night + 0.30 * torch.exp(moon.clamp_max(0) * 5) * tone(color, 0.6, 0.65, 0.8)
    return over(sky, tone(color, 0.95, 0.94, 0.82) * (0.86 + 0.2 * c.noise(6.0, 4)), soft_step(moon, 0.0, 0.03))
