"""What is true of a portrait: 68 landmarks, part masks, identity, and its kind.

Landmarks follow dlib's order: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67; "left" is left in the picture.
"""

import math

import torch
from torch import Tensor

from iplkit.world.curves import (
    BROW_INNER,
    BROW_LENGTH,
    EYE_HALF,
    EYE_X,
    Numbers,
    brow_curve,
    brow_height,
    lid_heights,
    mouth_curve,
    nose_size,
)
from iplkit.world.domains.catalog import check_domain, style
from iplkit.world.factors import IDENTITY, NAMES, check_factors, column, indices
from iplkit.world.geometry import BELOW, EYE_LINE, Pose, outline_shape, pose_of, project
from iplkit.world.render import canvas, check_size, chunks, seeds_of

JAW_ANGLES = (0.0, 9.5, 19.0, 29.0, 39.5, 50.5, 61.5, 75.0, 90.0)  # degrees along the lower outline
PARTS = tuple("head neck ear clothes hair_back hair_front eye iris brow nostril lip mouth beard glasses".split())
HAIR_COLORS = ("black", "brown", "red", "golden", "grey")
NUM_KINDS = len(HAIR_COLORS) * 2 * 2 * 2

Points = list[tuple[Tensor, Tensor, float]]  # right, below and out of the head (geometry.project); [N], [N], one number


def _jaw(n: int, p: Pose, like: Tensor) -> tuple[Tensor, Tensor]:
    """The visible outline itself, not a place on the turned head: that is what people mark. ``[N, 17]`` each."""
    degrees = JAW_ANGLES + tuple(180 - a for a in reversed(JAW_ANGLES[:-1]))
    angles = torch.tensor(degrees, dtype=like.dtype, device=like.device) * (math.pi / 180)
    y = (torch.sin(angles) * BELOW).expand(n, -1)
    scale, half = p.scale.view(n, 1), p.half_width.view(n, 1)
    x = -torch.cos(angles) * half * outline_shape(y[:, None, None], p)[:, 0, 0]
    return x * scale, y * scale + EYE_LINE


def _flat(value: Tensor, n: int) -> Tensor:
    """One number a portrait, ``[n or 1, 1, 1, 1]`` -> ``[n]``."""
    return value.expand(n, 1, 1, 1).reshape(n)


def _brow(k: Numbers, n: int) -> Points:
    """The right brow from its outer to its inner end, a little above its middle line."""
    heights = [_flat(v, n) for v in brow_curve(k)]
    thick = _flat((0.056 - 0.022 * k.f["femininity"]) * k.t["brow_weight"], n)

    def at(t: float):
        return 0 * thick + (BROW_INNER + BROW_LENGTH * t), brow_height(t, *heights) - 0.4 * thick, 0.0

    return [at(t) for t in (0.96, 0.78, 0.52, 0.26, 0.03)]


def _eye(k: Numbers, n: int) -> Points:
    """The right eye: outer corner, upper lid inward, inner corner, lower lid outward."""
    size = _flat(k.t["eye_size"], n)
    up, low = (_flat(v, n) for v in lid_heights(k))

    def at(e: float, height: Tensor):
        return EYE_X + EYE_HALF * size * e, height * (1 - e**2) * size - 0.018 * e * size, 0.0

    return [at(1.0, 0 * up), at(0.38, -up), at(-0.38, -up), at(-1.0, 0 * up), at(-0.38, low), at(0.38, low)]


def _nose(k: Numbers, n: int) -> Points:
    """The ridge from the eyes down to the tip, then along the nostrils from left to right."""
    big, zero = _flat(nose_size(k), n), _flat(0 * nose_size(k), n)
    ridge = [(zero, zero + v, lift) for v, lift in ((-0.01, 0.02), (0.19, 0.08), (0.39, 0.15), (0.60, 0.22))]
    side = [(0.225 * big, zero + 0.715, 0.05), (0.115 * big, zero + 0.765, 0.10)]
    return ridge + _mirrored(side) + [(zero, zero + 0.80, 0.12)] + side[::-1]


def _mouth(k: Numbers, n: int) -> Points:
    """Twelve points around the lips and eight around the opening, each from the left corner over the top."""
    m = {name: _flat(v, n) for name, v in mouth_curve(k).items()}

    def at(t: float, share: float, thickness: float = 0.0):
        """Place at t (-1 left corner .. 1 right): the line between the lips, moved by shares of opening and lip."""
        middle = m["y"] + m["corner"] * t**2
        return t * m["half"], middle + (share * m["gap"] + m["full"] * thickness) * (1 - t**2), 0.06

    outer = [at(-1, 0), *(at(t, -0.35, -0.85) for t in (-0.62, -0.25, 0, 0.25, 0.62)), at(1, 0)]
    outer += [at(t, 0.65, 1.25) for t in (0.66, 0.31, 0, -0.31, -0.66)]
    inner = [at(-0.84, 0), *(at(t, -0.35) for t in (-0.26, 0, 0.26)), at(0.84, 0), *(at(t, 0.65) for t in (0.27, 0, -0.27))]
    return outer + inner


def _mirrored(points: Points) -> Points:
    return [(-u, v, lift) for u, v, lift in points]


def _inside(k: Numbers, n: int) -> Points:
    """Landmarks 17 to 67: brows, nose, eyes, mouth."""
    brow, eye = _brow(k, n), _eye(k, n)
    inward = [eye[i] for i in (3, 2, 1, 0, 5, 4)]  # the same points from the inner corner
    return _mirrored(brow) + brow[::-1] + _nose(k, n) + _mirrored(eye) + inward + _mouth(k, n)


def landmarks(factors: Tensor, domain: str = "photo", size: int = 64) -> Tensor:
    """The 68 landmarks of each portrait in pixels, in dlib's order.

    Cubism breaks the picture into facets and moves each; its landmarks are those of the unbroken head.

    Args:
        factors: ``[N, F]``.
        domain: its geometry moves them.
        size: side of the picture in pixels.

    Returns:
        ``[N, 68, 2]``, x to the right and y down; the middle of the top left pixel is (0, 0).

    Raises:
        UserError: for an unknown domain or size, or factors out of range.
    """
    check_domain(domain), check_size(size), check_factors(factors)
    n, tweaks = len(factors), style(domain).TWEAKS
    bent = tweaks.toward(tweaks, factors.new_zeros(n))
    k, p = Numbers.of(factors, NAMES, bent), pose_of(factors, bent)
    points = _inside(k, n)
    u, v = (torch.stack([point[i] for point in points], 1) for i in (0, 1))
    lift = torch.tensor([point[2] for point in points], dtype=factors.dtype, device=factors.device)
    x, y = project(u, v, lift, p)
    jx, jy = _jaw(n, p, factors)
    xy = torch.stack([torch.cat([jx, x], 1), torch.cat([jy, y], 1)], -1)
    return (xy + 1) * (size / 2) - 0.5


def part_masks(factors: Tensor, domain: str = "photo", size: int = 64, seed=0) -> dict[str, Tensor]:
    """Soft masks of the parts, name -> ``[N, size, size]`` in [0, 1]; `PARTS` lists the names.

    A mask says where a part is, not whether another one lies over it: hair_front covers the head behind it.

    Args:
        factors: ``[N, F]``.
        domain: its geometry moves them.
        size: pixels.
        seed: see `render.blend`; only cubism's facets use it.

    Raises:
        UserError: see `landmarks`.
    """
    check_domain(domain), check_size(size), check_factors(factors)
    seeds, share = seeds_of(seed, len(factors), factors.device), factors.new_zeros(len(factors))
    if len(factors) == 0:
        return {name: factors.new_zeros(0, size, size) for name in PARTS}
    rows = [canvas(factors[k], domain, domain, share[k], size, seeds[k]).m.masks for k in chunks(len(factors), size)]
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
