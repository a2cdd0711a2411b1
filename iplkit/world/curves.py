"""The curves of a face, by factor and domain: what the picture draws and what the landmarks mark.

Everything is in head units (`geometry`): origin between the eyes, pupils of an average head 1 apart.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.world.factors import column
from iplkit.world.geometry import edge

EYE_X, EYE_HALF = 0.49, 0.205  # middle and half width of an eye
NOSE_TIP, MOUTH = 0.70, 1.10  # how far below the eye line
BROW_INNER, BROW_LENGTH = 0.19, 0.73


@dataclass
class Numbers:
    """What the curves need, each ``[N, 1, 1, 1]``: factors by name, and the domain's tweaks."""

    f: dict[str, Tensor]
    t: dict[str, Tensor]

    @classmethod
    def of(cls, factors: Tensor, names, tweaks: dict[str, Tensor]) -> "Numbers":
        """From factors ``[N, F]`` with their names in order, and the tweaks of `geometry.Tweaks.toward`."""
        f = {n: column(factors, n).view(-1, 1, 1, 1) for n in names}
        return cls(f, tweaks | {"eye_size": tweaks["eye_size"] * (1.10 - 0.17 * f["age"])})  # a child's eyes are large


def lid_heights(k: Numbers) -> tuple[Tensor, Tensor]:
    """Height of the upper and lower lid at the middle of the eye, head units, for an eye of size 1."""
    opening = (k.f["eye_open"] + k.t["eye_open"]).clamp(0, 1.4)
    smiling = (2 * k.f["smile"] - 1).clamp_min(0)  # a smile lifts the lower lid
    return 0.030 + 0.082 * opening, 0.028 + 0.036 * opening - 0.020 * smiling


def nose_size(k: Numbers) -> Tensor:
    """Size of the nose, about 1."""
    return (0.68 + 0.54 * k.f["nose"] + 0.14 * k.f["age"]) * k.t["nose"]


def mouth_curve(k: Numbers) -> dict[str, Tensor]:
    """Numbers of the mouth: half width, height of the corners, opening, thickness of the lips, height."""
    f, t = k.f, k.t
    smile = 2 * f["smile"] - 1
    up, down = smile.clamp_min(0), smile.clamp_max(0)
    half = (0.40 + 0.10 * up + 0.06 * down) * t["mouth"]
    gap = (0.012 + 0.20 * f["mouth_open"]) * t["mouth"]
    full = (0.045 + 0.075 * f["lips"] + 0.015 * f["femininity"]) * t["lips"] * t["mouth"]
    return {"half": half, "corner": -0.19 * up - 0.15 * down, "gap": gap, "full": full, "y": MOUTH + 0.035 * up}


def brow_curve(k: Numbers) -> tuple[Tensor, Tensor, Tensor]:
    """Height of the inner end, the peak and the outer end of a brow (negative is up)."""
    b = 2 * k.f["brow"] - 1
    drop = k.t["brow_drop"]
    inner = -0.245 - 0.07 * b + 0.05 * (-b).clamp_min(0) + drop
    return inner, -0.345 - 0.085 * b + drop * 0.7, -0.205 - 0.04 * b + drop * 0.2


def brow_height(t, inner: Tensor, peak: Tensor, outer: Tensor) -> Tensor:
    """Height of a brow from its inner end (t = 0) to its outer end (t = 1): a parabola through three heights."""
    return inner * (1 - t) * (1 - 2 * t) + 4 * peak * t * (1 - t) + outer * t * (2 * t - 1)


def hair_reach(k: Numbers) -> tuple[Tensor, Tensor]:
    """How much hair there is at all (0 bald .. 1) and its effective length."""
    length = torch.maximum(k.f["hair_length"], k.t["hair_minimum"] * torch.ones_like(k.f["hair_length"]))
    return edge(length - 0.10, 0.06), length
