"""Masks inside the face: eyes, brows, nose, mouth, and what age leaves. Each ``[N, 1, H, W]`` in [0, 1].

Curves live in head coordinates, so the parts turn with the head. `px` is the width of an edge in head units.
"""

import torch
from torch import Tensor

from iplkit.world.curves import (
    BROW_INNER,
    BROW_LENGTH,
    EYE_HALF,
    EYE_X,
    NOSE_TIP,
    Numbers,
    brow_curve,
    brow_height,
    lid_heights,
    mouth_curve,
    nose_size,
)
from iplkit.world.geometry import Pose, Surface, bump, edge, line


def eyes(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    """The opening between the lids, what lies in it, and the lines and the hollow around it."""
    size = k.t["eye_size"]
    e = (s.u.abs() - EYE_X) / (EYE_HALF * size)  # -1 inner corner, 1 outer
    top, bottom = _lids(e, k)
    eye = edge(s.v - top, px) * edge(bottom - s.v, px) * edge((1 - e.abs()) * EYE_HALF * size, px)
    socket = bump(s.u.abs(), s.v, EYE_X - 0.03, -0.03, 0.30 * size, 0.21 * size)
    return {"eye": eye, "socket": socket, **_eyeball(s, k, px), **_lid_lines(s, e, top, bottom, k, px)}


def _lids(e: Tensor, k: Numbers) -> tuple[Tensor, Tensor]:
    """Height of the upper and the lower lid along the eye."""
    size = k.t["eye_size"]
    up, low = lid_heights(k)
    tilt = -0.018 * e * size
    arch = (1 - e**2).clamp_min(-1)
    return -up * size * arch * (1 + 0.25 * (-e) * 0.3) + tilt, low * size * arch + tilt


def _eyeball(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    size = k.t["eye_size"]
    radius = 0.098 * size * k.t["iris"]
    d = ((s.u.abs() - EYE_X) ** 2 + (s.v + 0.012 * size) ** 2 + 1e-9).sqrt()
    glint = ((s.u - torch.sign(s.u) * EYE_X + 0.035 * size) ** 2 + (s.v + 0.052 * size) ** 2 + 1e-9).sqrt()
    return {
        "iris": edge(radius - d, px),
        "iris_ring": line(d - radius, 0.014, px),
        "pupil": edge(0.047 * size * k.t["pupil"] - d, px),
        "glint": edge(0.026 * size - glint, px),
    }


def _lid_lines(s: Surface, e: Tensor, top: Tensor, bottom: Tensor, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    size = k.t["eye_size"]
    lash = 0.016 + 0.016 * k.f["femininity"]
    side = edge((1.08 - e.abs()) * EYE_HALF * size, 1.5 * px)
    crease = line(s.v - top + 0.065 * size, 0.010, px)
    return {
        "lash": line(s.v - top + 0.006, lash * size.clamp_min(1), px) * side,
        "lower_lid": line(s.v - bottom, 0.008, px) * side,
        "crease": crease * edge((0.95 - e.abs()) * EYE_HALF * size, 2 * px),
    }


def brows(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    """The brows, thick inside and thin outside."""
    t = (s.u.abs() - BROW_INNER) / BROW_LENGTH  # 0 inner end, 1 outer end
    half = (0.066 - 0.022 * k.f["femininity"]) * k.t["brow_weight"] * (1.15 - 0.75 * t.clamp(0, 1))
    stroke = line(s.v - brow_height(t, *brow_curve(k)), half, px)
    return {"brow": stroke * edge(t * BROW_LENGTH, 2 * px) * edge((1 - t) * BROW_LENGTH, 2 * px)}


def nose(s: Surface, k: Numbers, px: Tensor, p: Pose) -> dict[str, Tensor]:
    """Nostrils and wings, and the light and shadow of the nose."""
    big = nose_size(k)
    u = s.u - torch.sin(p.yaw) * 0.20 * (s.v / NOSE_TIP).clamp(0, 1)  # it stands out, so it moves more
    v = s.v - torch.sin(p.pitch) * 0.12
    a = u.abs()
    nostril = ((a - 0.105 * big) / (0.058 * big)) ** 2 + ((v - 0.748 * (0.9 + 0.1 * big)) / (0.032 * big)) ** 2
    wing = ((a - 0.17 * big) ** 2 + (v - 0.68) ** 2 + 1e-9).sqrt() - 0.085 * big
    return {
        "nostril": edge(1 - nostril, px / 0.035),
        "wing": line(wing, 0.012, px) * edge(a - 0.17 * big, 2 * px) * edge(v - 0.60, 2 * px),
        "nose_under": bump(u, v, 0.0, 0.80, 0.20 * big, 0.045),
        "nose_ridge": torch.exp(-((u / (0.085 * big)) ** 2)) * edge(v + 0.02, 0.25) * edge(0.70 - v, 0.12),
        "nose_tip": bump(u, v, 0.0, 0.635, 0.125 * big, 0.11),
        "nose_wings": bump(a, v, 0.165 * big, 0.69, 0.07 * big, 0.07),
        "nose_side": bump(a, v, 0.17, 0.25, 0.10, 0.32),
    }


def mouth(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    """Lips, the opening with its teeth, the line between the lips, and the shadows below and beside."""
    m = mouth_curve(k)
    t = s.u / m["half"]  # -1 left corner, 1 right
    middle = m["y"] + m["corner"] * (t**2).clamp(0, 2)  # the line between the lips
    below = m["y"] + 0.65 * m["gap"] + m["full"] * 1.25 + 0.075
    return {
        **_lips(s, t, middle, m, px),
        "mouth_line": line(s.v - middle, 0.022, px) * edge((1.04 - t.abs()) * m["half"], px),
        "lip_shadow": bump(s.u, s.v, 0.0, below, 0.24, 0.055),
        "corner": bump(s.u.abs(), s.v, m["half"] + 0.03, m["y"] + m["corner"], 0.05, 0.06),
    }


def _lips(s: Surface, t: Tensor, middle: Tensor, m: dict[str, Tensor], px: Tensor) -> dict[str, Tensor]:
    inside = (1 - t**2).clamp_min(-0.5)
    top = middle - 0.35 * m["gap"] * inside
    bottom = middle + 0.65 * m["gap"] * inside
    cupid = 0.018 * torch.exp(-((s.u / 0.07) ** 2)) - 0.010
    upper_edge = top - m["full"] * 0.85 * inside + cupid * inside.clamp_min(0)
    lower_edge = bottom + m["full"] * 1.25 * inside
    side = edge((1 - t.abs()) * m["half"], 1.5 * px)
    row = edge(s.v - top, px) * edge(top + 0.35 * m["gap"] + 0.02 - s.v, px)  # the upper teeth
    return {
        "lip": edge(s.v - upper_edge, px) * edge(lower_edge - s.v, px) * side,
        "lip_upper": edge(s.v - upper_edge, px) * edge(top - s.v, px) * side,
        "mouth": edge(s.v - top, px) * edge(bottom - s.v, px) * side,
        "teeth": row * edge((0.8 - t.abs()) * m["half"], 2 * px) * edge(m["gap"] - 0.05, 0.04),
    }


def age_lines(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    """Folds beside the mouth (a smile deepens them), wrinkles of the old, the frown between low brows."""
    a = s.u.abs()
    old = ((k.f["age"] - 0.30) / 0.60).clamp(0, 1)
    smiling = ((k.f["smile"] - 0.5) * 2).clamp(0, 1)
    t = (s.v - 0.68) / 0.45
    fold = line(a - (0.26 + 0.24 * t.clamp(0, 1.2)), 0.020, 0.05 + px) * edge(t, 0.3) * edge(1 - t, 0.3)
    low = ((0.4 - k.f["brow"]) / 0.4).clamp(0, 1)
    return {
        "fold": fold * (0.25 + 0.75 * torch.maximum(old, 0.7 * smiling)),
        "wrinkles": (_forehead_rows(s, px) + _bags(s, px)).clamp(0, 1) * old,
        "frown": line(a - 0.075, 0.014, 0.02 + px) * edge(0.12 - (s.v + 0.27).abs(), 0.08) * low,
    }


def _forehead_rows(s: Surface, px: Tensor) -> Tensor:
    rows = sum(line(s.v + y + 0.04 * torch.cos(s.u * 2.4), 0.012, 0.025 + px) for y in (0.60, 0.74, 0.88))
    return rows * edge(0.62 - s.u.abs(), 0.2)


def _bags(s: Surface, px: Tensor) -> Tensor:
    a = s.u.abs()
    curve = s.v - 0.14 - 0.05 * (1 - ((a - EYE_X) / 0.24) ** 2)
    return line(curve, 0.016, 0.03 + px) * edge(0.24 - (a - EYE_X).abs(), 0.1)
