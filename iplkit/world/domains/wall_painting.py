"""Wall painting: a fresco."""

from torch import Tensor

from iplkit.world.geometry import Tweaks
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

CHANGES = "appearance"
WHAT = "Earth colors on plaster with a dark contour and a halo, cracks, and places where the paint has fallen."
TWEAKS = Tweaks(eye_size=1.10, eye_open=0.10, brow_weight=0.9, nose=0.95)


def paint(c: Canvas) -> Tensor:
    """``[N, 3, H, W]`` in 0..1."""
    skin, line = _earth(c.color["skin"]), tone(c.color["skin"], 0.26, 0.12, 0.07)
    lit = soft_step(lamp(c), 0.66, 0.3)
    stroke = 0.8 + 0.3 * soft_step(c.noise(10.0, 8, on_head=True), 0.5, 0.2)
    hair = _earth(c.color["hair"]) * stroke * tone(skin, 0.95, 0.75, 0.6)
    face = over(_face(c, skin * (0.76 + 0.26 * lit), hair), line, 0.8 * ink_lines(c))
    cloth = _earth(c.color["clothes"]) * tone(skin, 1.1, 0.72, 0.55) * (0.85 + 0.2 * lit)
    layers = {"back": hair * 0.8, "neck": skin * 0.78, "cloth": cloth, "ear": skin * 0.85, "face": face, "front": hair}
    rgb = compose(c, wall=_wall(c), **layers, frame=0.2)
    return _decayed(over(rgb, line, 0.85 * outline(c, 0.020)), c)


def _earth(rgb: Tensor) -> Tensor:
    """What lime and ocher leave of a color."""
    return over(saturate(rgb, 0.45), gray(rgb) * tone(rgb, 1.16, 0.92, 0.66), 0.65) * (1 - 0.42 * 0.2) * 0.86 + 0.14


def _face(c: Canvas, face: Tensor, hair: Tensor) -> Tensor:
    c.color["lips"] = _earth(c.color["lips"]) * tone(face, 1.1, 0.7, 0.6)
    c.color["eyes"] = _earth(c.color["eyes"]) * 0.7
    face = mouth_over(face, c)
    face = over(face, hair * 0.6, 0.95 * c.m.brow)
    face = over(face, hair, 0.85 * c.m.beard)
    return eyes_over(face, c, white=(0.86, 0.80, 0.68))


def _wall(c: Canvas) -> Tensor:
    """A red dado below and a golden halo behind the head."""
    color = c.color["background"]
    wall = over(_earth(color), tone(color, 0.62, 0.30, 0.18), soft_step(c.ys, 0.45, 0.04) * 0.8)
    halo = soft_step(1.0 - ((c.xs / 0.74) ** 2 + ((c.ys + 0.12) / 0.80) ** 2), 0.0, 0.05)
    return over(wall, tone(color, 0.80, 0.60, 0.24), 0.75 * halo)


def _decayed(rgb: Tensor, c: Canvas) -> Tensor:
    """The plaster shows through, bare in places (less often on the head), and has cracks."""
    plaster = tone(rgb, 0.80, 0.72, 0.58) * (0.88 + 0.24 * c.noise(7.0, 1))
    rgb = over(rgb, plaster, 0.14 + 0.80 * soft_step(c.noise(3.5, 6) - 0.12 * c.m.head, 0.74, 0.06))
    _, _, border = cells(c.xs, c.ys, 2.4, c.seeds)
    crack = soft_step(0.022 - border, 0.0, 0.03) * soft_step(c.noise(2.0, 9), 0.56, 0.1)
    return (over(rgb, tone(rgb, 0.30, 0.22, 0.16), 0.8 * crack) * (0.95 + 0.10 * c.noise(20.0, 3))).clamp(0, 1)
