"""Masks around the face: head, neck, ears, clothes, hair, glasses, beard. Each ``[N, 1, H, W]`` in [0, 1].

`px` is the width of an edge in head units. What belongs to the head's skin uses u and v, which turn with it; what
stands beside the head uses x and y of the picture.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.world.curves import Numbers, hair_reach, mouth_curve
from iplkit.world.geometry import Pose, Surface, edge, line


def body(s: Surface, k: Numbers, px: Tensor, p: Pose) -> dict[str, Tensor]:
    """Head, neck, ears and clothes; ears reach behind the head."""
    neck_half = (0.62 - 0.14 * k.f["femininity"]) * k.t["neck"]
    neck = edge(neck_half + 0.22 * ((s.y - 1.9).clamp_min(0)) ** 2 - s.x.abs(), px) * edge(s.y - 0.8, px)
    collar = 2.36 + 0.34 * ((s.x.abs() - 0.55).clamp_min(0)) ** 1.5 + 0.22 * torch.exp(-((s.x / 0.85) ** 2))
    return {"head": edge(s.rim, px), "neck": neck, "ear": _ears(s, k, px, p), "clothes": edge(s.y - collar, px)}


def _ears(s: Surface, k: Numbers, px: Tensor, p: Pose) -> Tensor:
    """Round ears at the sides, with a pointed tip where the domain asks for one, or ears on top of the head."""
    point, high = k.t["ear_point"], k.t["ear_high"]
    ear_y = 0.22 * (1 - high) - 1.15 * high
    ear_x = p.half_width * (1.0 - 0.40 * high)
    reach = 0.13 + 0.06 * point + 0.10 * high
    oval = ((s.x.abs() - ear_x) / reach) ** 2 + ((s.y - ear_y) / (0.27 + 0.05 * high)) ** 2
    along = ear_y - s.y  # up along the ear
    tip_x = ear_x + (0.16 + 0.24 * along) * (1 - high) + high * 0.04
    half = 0.15 * (1 - along / (1.05 * point.clamp_min(1e-3)))
    tip = edge(half * (1 + 0.9 * high) - (s.x.abs() - tip_x).abs(), px) * edge(along + 0.1, px) * edge(point - 0.05, 0.1)
    return torch.maximum(edge((1 - oval) * 0.10, px), tip)


@dataclass
class _Hair:
    """What the hair behind and before the head share; ``[N, 1, 1, 1]`` or ``[N, 1, H, W]``."""

    some: Tensor  # 0 bald .. 1
    length: Tensor
    long: Tensor  # 0 at the ears .. 1 on the shoulders
    volume: Tensor  # how far it stands out of the head
    outer: Tensor  # signed distance to the outline of head and hair, positive inside
    above_ends: Tensor  # how far above the ends of the hair at the sides
    soft: Tensor  # width of its edge


def _hair_of(s: Surface, k: Numbers, px: Tensor) -> _Hair:
    some, length = hair_reach(k)
    curl = k.f["curl"]
    wave = 0.055 * curl * (torch.sin(s.x * 9 + 2.0) + torch.sin(s.y * 8.0))
    volume = (0.13 + 0.20 * curl + k.t["hair_volume"]) * (0.6 + 0.4 * length) + wave
    outer = s.rim + volume * (0.55 + 0.45 * edge(-s.y, 1.6))
    long = ((length - 0.25) / 0.75).clamp(0, 1)
    ends = 0.10 * torch.sin(s.x * 5 + 1) * (0.4 + curl) - 0.45 * (s.x.abs() - 0.9).clamp_min(0)
    below = -0.25 + 2.75 * long + ends  # how far down the sides go, head units
    return _Hair(some, length, long, volume, outer, below - s.y, px + 0.05 * curl)


def hair(s: Surface, k: Numbers, px: Tensor, p: Pose) -> dict[str, Tensor]:
    """Hair behind the head, and hair before it: the hairline with its fringe, and locks at the sides."""
    h = _hair_of(s, k, px)
    front = torch.maximum(_hairline(s, k, h), _locks(s, h))
    return {"hair_back": _hair_back(s, h, p) * h.some * edge(h.length - 0.12, 0.08), "hair_front": front * h.some}


def _hair_back(s: Surface, h: _Hair, p: Pose) -> Tensor:
    """The outline of long hair falls straight down beside the head."""
    fall = (p.half_width + h.volume * 0.9) - s.x.abs()
    back = torch.where(s.y > 0, torch.maximum(h.outer, fall), h.outer)
    return edge(back, h.soft) * edge(h.above_ends, h.soft + 0.06)


def _hairline(s: Surface, k: Numbers, h: _Hair) -> Tensor:
    """All that lies above the hairline; a fringe lowers it to the brows."""
    fringe = k.f["fringe"]
    high, low = -0.98 + 0.05 * torch.cos(s.u * 3), -0.40
    drop = high + (low - high) * fringe.clamp(0, 1) * edge(fringe - 0.15, 0.1)
    side = ((s.u.abs() - 0.72) / 0.40).clamp(0, 2)
    drop = drop + side**2 * 0.55
    cut = 0.03 * torch.sin(s.u * (14 - 5 * k.f["curl"])) * fringe
    return edge(drop + cut - s.v, h.soft) * edge(h.outer, h.soft)


def _locks(s: Surface, h: _Hair) -> Tensor:
    """Long hair before the sides of the face."""
    grown = edge(h.length - 0.3, 0.2)
    aside = edge(s.u.abs() - (1.08 - 0.08 * h.long), h.soft + 0.05)
    return aside * edge(h.outer, h.soft) * edge(h.above_ends, h.soft + 0.06) * edge(s.y + 0.7, 0.2) * grown


def glasses(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    """Frame with bridge and temples, and the lenses."""
    worn = edge(k.f["glasses"] - 0.65, 0.08)
    a = s.u.abs()
    rx, ry = 0.36, 0.285
    lens = ((((a - 0.49) / rx).abs() ** 2.6 + ((s.v - 0.05) / ry).abs() ** 2.6 + 1e-9) ** (1 / 2.6) - 1) * 0.31
    bridge = line(s.v + 0.02 + 0.25 * (a - 0.13).clamp_min(0), 0.026, px) * edge(0.15 - a, px)
    temple = line(s.v + 0.06, 0.026, px) * edge(a - 0.84, px) * edge(s.rim, px)
    frame = torch.maximum(torch.maximum(line(lens, 0.030, px), bridge), temple)
    return {"glasses": frame * worn, "lens": edge(-lens, px) * worn}


def beard(s: Surface, k: Numbers, px: Tensor) -> dict[str, Tensor]:
    """Beard on chin and cheeks, clear of the lips, and a moustache."""
    value = k.f["beard"]
    grown = edge(value - 0.5, 0.10) * (0.45 + 0.55 * ((value - 0.5) / 0.5).clamp(0, 1))
    m = mouth_curve(k)
    depth = s.v - (0.55 + 0.45 * torch.exp(-((s.u / 0.62) ** 2)) - 0.30 * (s.u.abs() - 0.75).clamp_min(0))
    chin = edge(depth - 0.22, 0.16 + px) * edge(s.rim + 0.06, px + 0.05)
    moustache = line(s.v - (m["y"] - 0.17 + 0.10 * (s.u / 0.4) ** 2), 0.05, 0.06 + px) * edge(0.42 - s.u.abs(), 0.1)
    clear = 1 - edge(1.15 - ((s.u / (m["half"] * 0.95)) ** 2 + ((s.v - m["y"] - 0.03) / 0.19) ** 2), 0.4)
    return {"beard": torch.maximum(chin * clear, moustache) * grown}
