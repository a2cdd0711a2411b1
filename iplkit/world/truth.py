"""What is true of a portrait: 68 landmarks, part masks, identity, and its kind.

Landmarks follow dlib's order: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67; "left" is left in the picture.
"""

import math

import torch
from torch import Tensor

from iplkit.world.domains.catalog import check_domain, style
from iplkit.world.factors import IDENTITY, NAMES, check_factors, column, indices
from iplkit.world.geometry import BELOW, project, pose_of
from iplkit.world.parts import EYE_HALF, EYE_X, Numbers, brow_curve, lid_heights, mouth_curve
from iplkit.world.render import _chunks, _seeds, canvas, check_size

JAW_ANGLES = (0.0, 9.5, 19.0, 29.0, 39.5, 50.5, 61.5, 75.0, 90.0)  # degrees along the lower outline
PARTS = ("head", "neck", "ear", "clothes", "hair_back", "hair_front", "eye", "iris", "brow", "nostril", "lip", "mouth", "beard", "glasses")
HAIR_COLORS = ("black", "brown", "red", "golden", "grey")
NUM_KINDS = len(HAIR_COLORS) * 2 * 2 * 2


def _jaw(n: int, p, like: Tensor) -> tuple[Tensor, Tensor]:
    """The visible outline itself, not a place on the turned head: that is what people mark."""
    angles = torch.tensor(JAW_ANGLES + tuple(180 - a for a in reversed(JAW_ANGLES[:-1])), dtype=like.dtype, device=like.device)
    angles = angles * (math.pi / 180)
    from iplkit.world.geometry import EYE_LINE, _outline

    y = (torch.sin(angles) * BELOW).expand(n, -1)
    q_scale, half = p.scale.view(n, 1), p.half_width.view(n, 1)
    outline = _outline(y.view(n, 1, 1, -1), p).view(n, -1)
    x = -torch.cos(angles) * half * outline
    return x * q_scale, y * q_scale + EYE_LINE


def _half_face(k: Numbers, n: int) -> dict[str, list]:
    """Curves of the left half in head units, each a list of (u, v, lift)."""

    def flat(x):
        return x.expand(n, 1, 1, 1).reshape(n) if torch.is_tensor(x) else torch.full((n,), float(x))

    inner, peak, outer = (flat(v) for v in brow_curve(k))

    def brow(t):
        return inner * (1 - t) * (1 - 2 * t) + 4 * peak * t * (1 - t) + outer * t * (2 * t - 1)

    thick = flat((0.056 - 0.022 * k.f["femininity"]) * k.t["brow_weight"])
    size = flat(k.t["eye_size"])
    up, low = (flat(v) for v in lid_heights(k))
    big = flat((0.80 + 0.42 * k.f["nose"]) * k.t["nose"])

    def lid(e, h):
        return h * (1 - e**2) * size - 0.018 * e * size

    eye = [(1.0, None), (0.38, -up), (-0.38, -up), (-1.0, None), (-0.38, low), (0.38, low)]  # outer corner first
    return {
        "brow": [(flat(0.19 + 0.73 * t), brow(t) - 0.4 * thick, 0.0) for t in (0.96, 0.78, 0.52, 0.26, 0.03)],
        "eye": [(EYE_X + EYE_HALF * size * e, lid(e, h) if h is not None else lid(e, 0 * up), 0.0) for e, h in eye],
        "nose": [(0.225 * big, flat(0.715), 0.05), (0.115 * big, flat(0.765), 0.10)],
    }


def _mouth(k: Numbers, n: int) -> list:
    m = {name: (v.expand(n, 1, 1, 1).reshape(n) if torch.is_tensor(v) else torch.full((n,), float(v))) for name, v in mouth_curve(k).items()}

    def middle(t):
        return m["y"] + m["corner"] * t**2

    def inside(t):
        return 1 - t**2

    def upper(t):
        return middle(t) - (0.35 * m["gap"] + m["full"] * 0.85) * inside(t)

    def lower(t):
        return middle(t) + (0.65 * m["gap"] + m["full"] * 1.25) * inside(t)

    def top(t):
        return middle(t) - 0.35 * m["gap"] * inside(t)

    def bottom(t):
        return middle(t) + 0.65 * m["gap"] * inside(t)

    outer = [(-1, middle), (-0.62, upper), (-0.25, upper), (0, upper), (0.25, upper), (0.62, upper), (1, middle)]
    outer += [(0.66, lower), (0.31, lower), (0, lower), (-0.31, lower), (-0.66, lower)]
    inner = [(-0.84, middle), (-0.26, top), (0, top), (0.26, top), (0.84, middle), (0.27, bottom), (0, bottom), (-0.27, bottom)]
    return [(t * m["half"], curve(float(t)), 0.06) for t, curve in outer + inner]


def landmarks(factors: Tensor, domain: str = "photo", size: int = 64) -> Tensor:
    """The 68 landmarks of each portrait in pixels, in dlib's order.

    Args:
        factors: ``[N, F]``.
        domain: its geometry moves them.
        size: side of the picture in pixels.

    Returns:
        ``[N, 68, 2]``, x to the right and y down; the middle of the top left pixel is (0, 0).
    """
    check_domain(domain), check_size(size), check_factors(factors)
    n = len(factors)
    tweaks = style(domain).TWEAKS.toward(style(domain).TWEAKS, torch.zeros(n, dtype=factors.dtype, device=factors.device))
    k, p = Numbers.of(factors, NAMES, tweaks), pose_of(factors, tweaks)
    half = _half_face(k, n)
    zero = torch.zeros(n, dtype=factors.dtype, device=factors.device)

    def left(points):
        return [(-u, v, lift) for u, v, lift in points]

    nose = [(zero, zero + v, lift) for v, lift in ((-0.01, 0.02), (0.19, 0.08), (0.39, 0.15), (0.60, 0.22))]
    under = left(half["nose"]) + [(zero, zero + 0.80, 0.12)] + half["nose"][::-1]
    eye_left, right = left(half["eye"]), half["eye"]
    eye_right = [right[3], right[2], right[1], right[0], right[5], right[4]]
    points = left(half["brow"]) + half["brow"][::-1] + nose + under + eye_left + eye_right + _mouth(k, n)
    u, v = (torch.stack([q[i] for q in points], 1) for i in (0, 1))
    lift = torch.tensor([q[2] for q in points], dtype=factors.dtype, device=factors.device)
    x, y = project(u, v, lift, p)
    jx, jy = _jaw(n, p, factors)
    xy = torch.stack([torch.cat([jx, x], 1), torch.cat([jy, y], 1)], -1)
    return (xy + 1) * (size / 2) - 0.5


def part_masks(factors: Tensor, domain: str = "photo", size: int = 64, seed=0) -> dict[str, Tensor]:
    """Soft masks of the visible parts, name -> ``[N, size, size]`` in [0, 1]; `PARTS` lists the names."""
    check_domain(domain), check_size(size), check_factors(factors)
    seeds = _seeds(seed, len(factors), factors.device)
    share = torch.zeros(len(factors), dtype=factors.dtype, device=factors.device)
    rows = [canvas(factors[k], domain, domain, share[k], size, seeds[k]).m.masks for k in _chunks(len(factors), size)]
    return {name: torch.cat([r[name][:, 0].expand(-1, size, size) for r in rows]) for name in PARTS}


def identity(factors: Tensor) -> Tensor:
    """The factors that stay the person, ``[N, F]`` -> ``[N, 10]``."""
    return factors[:, indices(IDENTITY)]


def kinds(factors: Tensor) -> Tensor:
    """One of 40 kinds of people, ``[N]`` integers: hair color x age x femininity x glasses.

    The judge learns to name the kind; the Inception Score of this world is taken over these classes, as ImageNet's
    are for photographs.
    """
    hair = (column(factors, "hair_color") * len(HAIR_COLORS)).long().clamp(0, len(HAIR_COLORS) - 1)
    bits = [column(factors, name) > cut for name, cut in (("age", 0.5), ("femininity", 0.5), ("glasses", 0.65))]
    return ((hair * 2 + bits[0].long()) * 2 + bits[1].long()) * 2 + bits[2].long()
