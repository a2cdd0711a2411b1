"""From pixels to places on a head: pose, the head's outline, coordinates on its surface, and back.

Units: the distance between the pupils of an average head is 1. Origin: the middle between the eyes; x right, y down.
The proportions are those of the mean 68-landmark face that OpenFace publishes (Apache-2.0), made symmetric.
"""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from iplkit.world.factors import column

PUPILS = 0.378  # distance of the pupils in units of half an image side, at size 0.5
EYE_LINE = -0.09  # where the eye line lies in the picture, -1 top to 1 bottom
BELOW, ABOVE, HALF_WIDTH = 1.93, 1.46, 1.17  # chin, top and side of the head from the origin
YAW, PITCH = math.radians(28), math.radians(13)


@dataclass(frozen=True)
class Tweaks:
    """How a domain bends the head; the defaults are the photo domain, and blends interpolate every number."""

    eye_size: float = 1.0
    eye_open: float = 0.0  # added to the factor's opening
    iris: float = 1.0
    pupil: float = 1.0
    nose: float = 1.0
    mouth: float = 1.0
    lips: float = 1.0
    chin: float = 0.0  # narrows the lower face
    width: float = 1.0
    brow_weight: float = 1.0
    brow_drop: float = 0.0
    ear_point: float = 0.0  # length of a pointed ear
    ear_high: float = 0.0  # 1: ears on top of the head
    snout: float = 0.0
    hair_volume: float = 0.0
    hair_minimum: float = 0.0
    neck: float = 1.0
    facets: float = 0.0  # displacement of cubist facets

    def toward(self, other: "Tweaks", share: Tensor) -> dict[str, Tensor]:
        """Each number between this style and another, ``[N]`` shares -> name -> ``[N, 1, 1, 1]``."""
        s = share.view(-1, 1, 1, 1)
        return {f.name: getattr(self, f.name) + s * (getattr(other, f.name) - getattr(self, f.name)) for f in fields(self)}


@dataclass
class Pose:
    """Numbers of shape ``[N, 1, 1, 1]`` that place a head in the picture."""

    yaw: Tensor
    pitch: Tensor
    scale: Tensor  # image half sides per unit
    half_width: Tensor
    jaw: Tensor
    chin: Tensor


def pose_of(f: Tensor, t: dict[str, Tensor]) -> Pose:
    """Pose from factors ``[N, F]`` and tweaks."""

    def v(name):
        return column(f, name).view(-1, 1, 1, 1)

    return Pose(
        yaw=(2 * v("yaw") - 1) * YAW,
        pitch=(2 * v("pitch") - 1) * PITCH,
        scale=PUPILS * (0.93 + 0.16 * v("size")),
        half_width=HALF_WIDTH * (0.92 + 0.16 * v("face_width")) * t["width"],
        jaw=0.11 * (2 * v("jaw") - 1) - 0.05 * (2 * v("femininity") - 1),
        chin=t["chin"],
    )


def pixel_grid(size: int, device, dtype=torch.float32) -> tuple[Tensor, Tensor]:
    """Pixel centers from -1 to 1, two tensors ``[1, 1, H, W]``."""
    c = (torch.arange(size, device=device, dtype=dtype) + 0.5) * (2 / size) - 1
    return c.view(1, 1, 1, -1).expand(1, 1, size, size), c.view(1, 1, -1, 1).expand(1, 1, size, size)


def to_head(xs: Tensor, ys: Tensor, p: Pose) -> tuple[Tensor, Tensor]:
    """Image coordinates -> head units in the picture's plane."""
    return xs / p.scale, (ys - EYE_LINE) / p.scale


def outline_shape(y: Tensor, p: Pose) -> Tensor:
    """Half width of the head at height `y` relative to an ellipse: jaw and chin."""
    yb = (y / BELOW).clamp(0, 1.1)
    bump = torch.exp(-(((yb - 0.68) / 0.30) ** 2))
    return 1 + p.jaw * bump - p.chin * (yb**2) * 0.55


@dataclass
class Surface:
    """Coordinates on the head for each pixel, ``[N, 1, H, W]`` each."""

    x: Tensor  # picture plane, head units
    y: Tensor
    u: Tensor  # on the head: right of its own middle
    v: Tensor  # on the head: below the eye line
    depth: Tensor  # toward the viewer, 0 at the outline
    rim: Tensor  # signed distance to the outline, positive inside


def surface(x: Tensor, y: Tensor, p: Pose) -> Surface:
    """Undo the head's rotation: which place of the head does each pixel show?"""
    a = p.half_width * outline_shape(y, p)
    big_y = torch.where(y > 0, y / BELOW, y / ABOVE)
    big_x = x / a
    r2 = big_x**2 + big_y**2
    z = (1 - r2).clamp_min(0.03).sqrt()
    u = big_x * torch.cos(p.yaw) - z * torch.sin(p.yaw)
    z1 = big_x * torch.sin(p.yaw) + z * torch.cos(p.yaw)
    v = big_y * torch.cos(p.pitch) - z1 * torch.sin(p.pitch)
    rim = (1 - (r2 + 1e-9).sqrt()) * p.half_width
    return Surface(x, y, u * p.half_width, torch.where(v > 0, v * BELOW, v * ABOVE), z, rim)


def project(u: Tensor, v: Tensor, lift: Tensor, p: Pose) -> tuple[Tensor, Tensor]:
    """Where a place of the head appears in the picture; the inverse of `to_head` and `surface`.

    Args:
        u, v: places, ``[N, K]`` in head units.
        lift: how far the place stands out of the head, in half head widths, ``[K]`` or ``[N, K]``.

    Returns:
        Image coordinates x, y in -1..1, ``[N, K]``.
    """
    q = Pose(**{f.name: getattr(p, f.name).view(-1, 1) for f in fields(p)})
    big_u, big_v = u / q.half_width, torch.where(v > 0, v / BELOW, v / ABOVE)
    w = (1 - big_u**2 - big_v**2).clamp_min(0.0).sqrt() + lift
    big_y = big_v * torch.cos(q.pitch) + w * torch.sin(q.pitch)
    z1 = -big_v * torch.sin(q.pitch) + w * torch.cos(q.pitch)
    big_x = big_u * torch.cos(q.yaw) + z1 * torch.sin(q.yaw)
    y = torch.where(big_y > 0, big_y * BELOW, big_y * ABOVE)
    x = big_x * q.half_width * outline_shape(y, q)
    return x * q.scale, y * q.scale + EYE_LINE


def edge(d: Tensor, width: Tensor | float) -> Tensor:
    """Coverage of a pixel by the region ``d > 0``: 0 outside, 1 inside, a smooth ramp `width` wide between."""
    t = (d / width + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def line(d: Tensor, half: Tensor | float, width: Tensor | float) -> Tensor:
    """Coverage by a stroke of half width `half` around ``d = 0``; thinner than a pixel it fades, not breaks."""
    return edge(d + half, width) - edge(d - half, width)


def bump(u: Tensor, v: Tensor, cu, cv, su, sv) -> Tensor:
    """Gaussian hill of height 1."""
    return torch.exp(-(((u - cu) / su) ** 2) - ((v - cv) / sv) ** 2)
