"""The parts of a portrait as soft masks: what is skin, eye, lip, hair, glasses at each pixel.

All curves live in head coordinates (`geometry.surface`), so parts turn with the head. Every mask is in [0, 1],
``[N, 1, H, W]``, anti-aliased by its own edge, and differentiable in the factors.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.world.factors import column
from iplkit.world.geometry import ABOVE, BELOW, Pose, Surface, bump, edge, line

EYE_X, EYE_HALF = 0.49, 0.205
NOSE_TIP, MOUTH = 0.70, 1.10


@dataclass
class Parts:
    """Masks (0..1) and the relief of the face, all ``[N, 1, H, W]``."""

    masks: dict[str, Tensor]
    relief: Tensor  # height above the bare head, head units

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self.__dict__["masks"][name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass
class Numbers:
    """What the masks need, each ``[N, 1, 1, 1]``: factors by name, and the domain's tweaks."""

    f: dict[str, Tensor]
    t: dict[str, Tensor]

    @classmethod
    def of(cls, factors: Tensor, names, tweaks: dict[str, Tensor]) -> "Numbers":
        return cls({n: column(factors, n).view(-1, 1, 1, 1) for n in names}, tweaks)


def lid_heights(k: Numbers) -> tuple[Tensor, Tensor]:
    """Height of the upper and lower lid at the middle of the eye, head units, for an eye of size 1."""
    opening = (k.f["eye_open"] + k.t["eye_open"]).clamp(0, 1.4)
    return 0.030 + 0.082 * opening, 0.028 + 0.036 * opening


def mouth_curve(k: Numbers) -> dict[str, Tensor]:
    """Numbers of the mouth: half width, height of the corners, openings and lip thickness."""
    f, t = k.f, k.t
    smile = 2 * f["smile"] - 1
    half = (0.40 + 0.075 * smile) * t["mouth"]
    gap = (0.012 + 0.20 * f["mouth_open"]) * t["mouth"]
    full = (0.055 + 0.055 * f["lips"] + 0.015 * f["femininity"]) * t["lips"] * t["mouth"]
    return {"half": half, "corner": -0.125 * smile, "gap": gap, "full": full, "y": MOUTH + 0.0 * smile}


def brow_curve(k: Numbers) -> tuple[Tensor, Tensor, Tensor]:
    """Height of the inner end, the peak and the outer end of a brow (negative is up)."""
    b = 2 * k.f["brow"] - 1
    drop = k.t["brow_drop"]
    return -0.245 - 0.07 * b + 0.05 * (-b).clamp_min(0) + drop, -0.345 - 0.085 * b + drop * 0.7, -0.205 - 0.04 * b + drop * 0.2


def hair_reach(k: Numbers) -> tuple[Tensor, Tensor]:
    """How much hair there is at all (0 bald .. 1) and its effective length."""
    length = torch.maximum(k.f["hair_length"], k.t["hair_minimum"] * torch.ones_like(k.f["hair_length"]))
    return edge(length - 0.10, 0.06), length


def _eyes(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    size = k.t["eye_size"]
    up, low = lid_heights(k)
    a = s.u.abs()
    e = (a - EYE_X) / (EYE_HALF * size)  # -1 inner corner, 1 outer
    tilt = -0.018 * e * size
    arch = (1 - e**2).clamp_min(-1)
    top = -up * size * arch * (1 + 0.25 * (-e) * 0.3) + tilt
    bottom = low * size * arch + tilt
    eye = edge(s.v - top, px) * edge(bottom - s.v, px) * edge((1 - e.abs()) * EYE_HALF * size, px)
    iris_r = 0.098 * size * k.t["iris"]
    d = ((a - EYE_X) ** 2 + (s.v + 0.012 * size) ** 2 + 1e-9).sqrt()
    lash = 0.016 + 0.016 * k.f["femininity"]
    side = edge((1.08 - e.abs()) * EYE_HALF * size, 1.5 * px)
    glint = ((s.u - torch.sign(s.u) * EYE_X + 0.035 * size) ** 2 + (s.v + 0.052 * size) ** 2 + 1e-9).sqrt()
    return {
        "eye": eye,
        "iris": edge(iris_r - d, px),
        "iris_ring": line(d - iris_r, 0.014, px),
        "pupil": edge(0.047 * size * k.t["pupil"] - d, px),
        "glint": edge(0.026 * size - glint, px),
        "lash": line(s.v - top + 0.006, lash * size.clamp_min(1) if torch.is_tensor(size) else lash, px) * side,
        "lower_lid": line(s.v - bottom, 0.008, px) * side,
        "crease": line(s.v - top + 0.065 * size, 0.010, px) * edge((0.95 - e.abs()) * EYE_HALF * size, 2 * px),
        "socket": bump(a, s.v, EYE_X - 0.03, -0.03, 0.30 * size, 0.21 * size),
    }


def _brows(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    inner, peak, outer = brow_curve(k)
    a = s.u.abs()
    t = (a - 0.19) / 0.73  # 0 inner end, 1 outer end
    curve = inner * (1 - t) * (1 - 2 * t) + 4 * peak * t * (1 - t) * 1.0 + outer * t * (2 * t - 1)
    half = (0.066 - 0.022 * k.f["femininity"]) * k.t["brow_weight"] * (1.15 - 0.75 * t.clamp(0, 1))
    return {"brow": line(s.v - curve, half, px) * edge(t * 0.73, 2 * px) * edge((1 - t) * 0.73, 2 * px)}


def _nose(s: Surface, k: Numbers, px: Tensor, p: Pose) -> dict[str, Tensor]:
    big = (0.80 + 0.42 * k.f["nose"]) * k.t["nose"]
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


def _mouth(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    m = mouth_curve(k)
    t = s.u / m["half"]
    inside = (1 - t**2).clamp_min(-0.5)
    middle = m["y"] + m["corner"] * (t**2).clamp(0, 2)  # the line between the lips
    top = middle - 0.35 * m["gap"] * inside
    bottom = middle + 0.65 * m["gap"] * inside
    cupid = 0.018 * torch.exp(-((s.u / 0.07) ** 2)) - 0.010
    upper_edge = top - m["full"] * 0.85 * inside + cupid * inside.clamp_min(0)
    lower_edge = bottom + m["full"] * 1.25 * inside
    side = edge((1 - t.abs()) * m["half"], 1.5 * px)
    return {
        "lip": edge(s.v - upper_edge, px) * edge(lower_edge - s.v, px) * side,
        "lip_upper": edge(s.v - upper_edge, px) * edge(top - s.v, px) * side,
        "mouth": edge(s.v - top, px) * edge(bottom - s.v, px) * side,
        "teeth": edge(s.v - top, px) * edge(top + 0.35 * m["gap"] + 0.02 - s.v, px) * edge((0.8 - t.abs()) * m["half"], 2 * px) * edge(m["gap"] - 0.05, 0.04),
        "mouth_line": line(s.v - middle, 0.016, px) * edge((1.04 - t.abs()) * m["half"], px),
        "lip_shadow": bump(s.u, s.v, 0.0, m["y"] + 0.65 * m["gap"] + m["full"] * 1.25 + 0.075, 0.24, 0.055),
        "corner": bump(s.u.abs(), s.v, m["half"] + 0.03, m["y"] + m["corner"], 0.05, 0.06),
    }


def _skin(s: Surface, k: Numbers, px: Tensor, p: Pose) -> dict[str, Tensor]:
    head = edge(s.rim, px)
    neck_half = (0.62 - 0.14 * k.f["femininity"]) * k.t["neck"]
    neck = edge(neck_half + 0.22 * ((s.y - 1.9).clamp_min(0)) ** 2 - s.x.abs(), px) * edge(s.y - 0.8, px)
    point, high = k.t["ear_point"], k.t["ear_high"]
    ex = s.x.abs()
    hw = p.half_width
    ear_y = 0.22 * (1 - high) - 1.15 * high
    ear_x = hw * (1.0 - 0.40 * high)
    reach = 0.13 + 0.06 * point + 0.10 * high
    along = ear_y - s.y  # up along the ear
    oval = ((ex - ear_x) / reach) ** 2 + ((s.y - ear_y) / (0.27 + 0.05 * high)) ** 2
    ear = edge((1 - oval) * 0.10, px)
    tip_x = ear_x + (0.16 + 0.24 * along) * (1 - high) + high * 0.04
    half = 0.15 * (1 - along / (1.05 * point.clamp_min(1e-3)))
    spike = edge(half * (1 + 0.9 * high) - (ex - tip_x).abs(), px) * edge(along + 0.1, px) * edge(point - 0.05, 0.1)
    clothes_top = 2.36 + 0.34 * ((s.x.abs() - 0.55).clamp_min(0)) ** 1.5 + 0.22 * torch.exp(-((s.x / 0.85) ** 2))
    return {"head": head, "neck": neck, "ear": torch.maximum(ear, spike), "clothes": edge(s.y - clothes_top, px)}


def _hair(s: Surface, k: Numbers, px: Tensor, p: Pose) -> dict[str, Tensor]:
    some, length = hair_reach(k)
    curl = k.f["curl"]
    wave = 0.055 * curl * (torch.sin(s.x * 9 + 2.0) + torch.sin(s.y * 8.0))
    volume = (0.13 + 0.20 * curl + k.t["hair_volume"]) * (0.6 + 0.4 * length) + wave
    outer = s.rim + volume * (0.55 + 0.45 * edge(-s.y, 1.6))
    long = ((length - 0.25) / 0.75).clamp(0, 1)
    ends = 0.10 * torch.sin(s.x * 5 + 1) * (0.4 + curl) - 0.45 * (s.x.abs() - 0.9).clamp_min(0)
    below = -0.25 + 2.75 * long + ends  # how far down the sides go, head units
    grown = edge(length - 0.3, 0.2)
    # The outline of long hair falls straight down beside the head.
    fall = (p.half_width + volume * 0.9) - s.x.abs()
    back = torch.where(s.y > 0, torch.maximum(outer, fall), outer)
    soft = px + 0.05 * curl
    back = edge(back, soft) * edge(below - s.y, soft + 0.06)
    line_high = -0.98 + 0.05 * torch.cos(s.u * 3)
    line_low = -0.40
    drop = line_high + (line_low - line_high) * k.f["fringe"].clamp(0, 1) * edge(k.f["fringe"] - 0.15, 0.1)
    side = ((s.u.abs() - 0.72) / 0.40).clamp(0, 2)
    drop = drop + side**2 * 0.55
    cut = 0.03 * torch.sin(s.u * (14 - 5 * curl)) * k.f["fringe"]
    front = edge(drop + cut - s.v, soft) * edge(outer, soft)
    locks = edge(s.u.abs() - (1.08 - 0.08 * long), soft + 0.05) * edge(outer, soft) * edge(below - s.y, soft + 0.06) * edge(s.y + 0.7, 0.2) * grown
    return {"hair_back": back * some * edge(length - 0.12, 0.08), "hair_front": torch.maximum(front, locks) * some}


def _extras(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    worn = edge(k.f["glasses"] - 0.65, 0.08)
    a = s.u.abs()
    rx, ry = 0.36, 0.285
    lens = ((((a - 0.49) / rx).abs() ** 2.6 + ((s.v - 0.05) / ry).abs() ** 2.6 + 1e-9) ** (1 / 2.6) - 1) * 0.31
    frame = line(lens, 0.030, px)
    bridge = line(s.v + 0.02 + 0.25 * (a - 0.13).clamp_min(0), 0.026, px) * edge(0.15 - a, px)
    temple = line(s.v + 0.06, 0.026, px) * edge(a - 0.84, px) * edge(s.rim, px)
    grown = edge(k.f["beard"] - 0.5, 0.10) * (0.45 + 0.55 * ((k.f["beard"] - 0.5) / 0.5).clamp(0, 1))
    m = mouth_curve(k)
    depth = s.v - (0.55 + 0.45 * torch.exp(-((s.u / 0.62) ** 2)) - 0.30 * (a - 0.75).clamp_min(0))
    chin = edge(depth - 0.22, 0.16 + px) * edge(s.rim + 0.06, px + 0.05)
    moustache = line(s.v - (m["y"] - 0.17 + 0.10 * (s.u / 0.4) ** 2), 0.05, 0.06 + px) * edge(0.42 - a, 0.1)
    clear = 1 - edge(1.15 - ((s.u / (m["half"] * 0.95)) ** 2 + ((s.v - m["y"] - 0.03) / 0.19) ** 2), 0.4)
    return {
        "glasses": torch.maximum(torch.maximum(frame, bridge), temple) * worn,
        "lens": edge(-lens, px) * worn,
        "beard": torch.maximum(chin * clear, moustache) * grown,
    }


def _age(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    a = s.u.abs()
    old = ((k.f["age"] - 0.35) / 0.65).clamp(0, 1)
    smiling = ((k.f["smile"] - 0.5) * 2).clamp(0, 1)
    t = (s.v - 0.68) / 0.45
    fold = line(a - (0.26 + 0.24 * t.clamp(0, 1.2)), 0.020, 0.05 + px) * edge(t, 0.3) * edge(1 - t, 0.3)
    rows = sum(line(s.v + y + 0.04 * torch.cos(s.u * 2.4), 0.012, 0.025 + px) for y in (0.60, 0.74, 0.88)) * edge(0.62 - a, 0.2)
    bags = line(s.v - 0.14 - 0.05 * (1 - ((a - EYE_X) / 0.24) ** 2), 0.016, 0.03 + px) * edge(0.24 - (a - EYE_X).abs(), 0.1)
    frown = line(a - 0.075, 0.014, 0.02 + px) * edge(0.12 - (s.v + 0.27).abs(), 0.08) * ((0.4 - k.f["brow"]) / 0.4).clamp(0, 1)
    return {"fold": fold * (0.25 + 0.75 * torch.maximum(old, 0.7 * smiling)), "wrinkles": (rows + bags).clamp(0, 1) * old, "frown": frown}


def _relief(s: Surface, k: Numbers, m: dict[str, Tensor]) -> Tensor:
    a = s.u.abs()
    snout = k.t["snout"] * bump(s.u, s.v, 0.0, 0.92, 0.52, 0.52)
    young = 1 - k.f["age"]
    return (
        0.20 * m["nose_ridge"] + 0.26 * m["nose_tip"] + 0.10 * m["nose_wings"]
        - 0.13 * m["socket"] + 0.07 * bump(s.u, s.v, 0.0, -0.32, 0.75, 0.13)
        + (0.09 + 0.05 * k.f["smile"]) * bump(a, s.v, 0.62, 0.55, 0.30, 0.26) - 0.10 * (1 - young) * bump(a, s.v, 0.66, 0.92, 0.20, 0.28)
        + 0.09 * m["lip"] + 0.09 * bump(s.u, s.v, 0.0, 1.62, 0.26, 0.17) - 0.05 * m["lip_shadow"] - 0.05 * m["fold"] + 0.65 * snout
    )


def parts_of(s: Surface, factors: Tensor, names, tweaks: dict[str, Tensor], p: Pose, px: Tensor) -> Parts:
    """All masks of a portrait.

    Args:
        s: where each pixel lies on the head.
        factors: ``[N, F]``.
        names: the factors' names, in order.
        tweaks: the domain's bends (`geometry.Tweaks.toward`).
        p: the pose.
        px: width of an edge in head units, ``[N, 1, 1, 1]``; one pixel, or more for a softer picture.
    """
    k = Numbers.of(factors, names, tweaks)
    m = {**_skin(s, k, px, p), **_eyes(s, k, px), **_brows(s, k, px), **_nose(s, k, px, p), **_mouth(s, k, px)}
    m |= {**_hair(s, k, px, p), **_extras(s, k, px), **_age(s, k, px)}
    for name in ("eye", "brow", "nostril", "lip", "mouth", "lash", "crease", "fold", "wrinkles", "frown", "wing", "mouth_line", "lower_lid"):
        m[name] = m[name] * m["head"]
    return Parts(m, _relief(s, k, m) * m["head"])
