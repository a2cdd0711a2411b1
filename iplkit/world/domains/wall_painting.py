"""Wall painting: a fresco. Earth colors on plaster, a dark contour, cracks and places where the paint has fallen."""

from torch import Tensor

from iplkit.world.geometry import Tweaks
from iplkit.world.noise import cells
from iplkit.world.shading import Canvas, compose, eyes_over, gray, ink_lines, lamp, mouth_over, outline, over, saturate, soft_step, tone

CHANGES = "appearance"
TWEAKS = Tweaks(eye_size=1.10, eye_open=0.10, brow_weight=0.9, nose=0.95)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    m = c.m
    plaster = tone(c.color["skin"], 0.80, 0.72, 0.58) * (0.88 + 0.24 * c.noise(7.0, 1))
    lit = soft_step(lamp(c), 0.66, 0.3)

    def earth(rgb, amount=0.42):
        return over(saturate(rgb, 0.45), gray(rgb) * tone(rgb, 1.16, 0.92, 0.66), 0.65) * (1 - amount * 0.2) * 0.86 + 0.14

    face = earth(c.color["skin"]) * (0.76 + 0.26 * lit)
    c.color["lips"] = earth(c.color["lips"]) * tone(face, 1.1, 0.7, 0.6)
    c.color["eyes"] = earth(c.color["eyes"]) * 0.7
    face = mouth_over(face, c)
    hair = earth(c.color["hair"]) * (0.8 + 0.3 * soft_step(c.noise(10.0, 8, on_head=True), 0.5, 0.2)) * tone(face, 0.95, 0.75, 0.6)
    face = over(face, hair * 0.6, 0.95 * m.brow)
    face = over(face, hair, 0.85 * m.beard)
    face = eyes_over(face, c, white=(0.86, 0.80, 0.68))
    line = tone(face, 0.26, 0.12, 0.07)
    face = over(face, line, 0.8 * ink_lines(c))
    wall = over(earth(c.color["background"]), tone(face, 0.62, 0.30, 0.18), soft_step(c.ys, 0.45, 0.04) * 0.8)
    halo = soft_step(1.0 - ((c.xs / 0.74) ** 2 + ((c.ys + 0.12) / 0.80) ** 2), 0.0, 0.05)
    wall = over(wall, tone(face, 0.80, 0.60, 0.24), 0.75 * halo)
    cloth = earth(c.color["clothes"]) * tone(face, 1.1, 0.72, 0.55) * (0.85 + 0.2 * lit)
    rgb = compose(c, wall=wall, back=hair * 0.8, neck=earth(c.color["skin"]) * 0.78, cloth=cloth, ear=earth(c.color["skin"]) * 0.85, face=face, front=hair, frame=0.2)
    rgb = over(rgb, line, 0.85 * outline(c, 0.020))
    rgb = over(rgb, plaster, 0.14 + 0.80 * soft_step(c.noise(3.5, 6) - 0.12 * m.head, 0.74, 0.06))
    _, _, border = cells(c.xs, c.ys, 2.4, c.seeds)
    crack = soft_step(0.022 - border, 0.0, 0.03) * soft_step(c.noise(2.0, 9), 0.56, 0.1)
    return (over(rgb, tone(rgb, 0.30, 0.22, 0.16), 0.8 * crack) * (0.95 + 0.10 * c.noise(20.0, 3))).clamp(0, 1)
