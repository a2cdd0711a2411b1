"""Moved faces: the same portrait shifted, zoomed and turned. Is it still found, and how far from the middle?

Abdal et al. 2019, Sec. 4.1, Fig. 3 and Tab. 1: 140 pixels to the right and 160 to the left of 1024, out and in by 2, 90 and
180 degrees. What comes into the picture from outside is what lies at its border.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.findings import Finding
from iplkit.images import from_uint8, resize, to_uint8
from iplkit.invert.studies.lab import Lab, interval, measured

MOVES = {
    "as it is": {},
    "140 px of 1024 to the right": {"shift": 140 / 1024},
    "160 px of 1024 to the left": {"shift": -160 / 1024},
    "twice as small": {"zoom": 0.5},
    "twice as large": {"zoom": 2.0},
    "turned by 90 degrees": {"turn": 90},
    "turned by 180 degrees": {"turn": 180},
}


def moved(images: Tensor, shift: float = 0.0, zoom: float = 1.0, turn: float = 0.0) -> Tensor:
    """Move the content of square pictures, ``[N, 3, S, S]`` in [-1, 1] -> the same shape, 8 bits.

    Args:
        images: the pictures.
        shift: to the right, in sides.
        zoom: above 1 makes things larger. Shrinking is filtered, so that no false pattern appears.
        turn: degrees, counterclockwise.
    """
    n, _, size, _ = images.shape
    if turn % 90 == 0 and zoom == 1 and shift == 0:
        return torch.rot90(images, round(turn / 90), dims=(2, 3))
    if zoom < 1:
        side = round(size * zoom)
        low = (size - side) // 2
        small = resize(images, side)
        made = F.pad(small, (low, size - side - low, low, size - side - low), mode="replicate")
        return from_uint8(to_uint8(moved(made, shift, 1.0, turn)))
    angle = math.radians(turn)
    c, s = math.cos(angle) / zoom, math.sin(angle) / zoom
    # grid_sample asks, for each place of the result, where it was before
    matrix = torch.tensor([[c, -s, -2 * shift * c], [s, c, -2 * shift * s]], dtype=images.dtype, device=images.device)
    grid = F.affine_grid(matrix.expand(n, 2, 3), list(images.shape), align_corners=False)
    return from_uint8(to_uint8(F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)))


def moved_faces(lab: Lab) -> Finding:
    """Each move: final loss, fidelity, and the distance of the code from the middle; "cost" is the paired loss of dB."""
    images, middle = lab.portraits("moved faces"), lab.generator.mapping.w_avg
    rows, shown, base = [], {}, None
    for name, how in MOVES.items():
        there = moved(images, **how)
        found = lab.find(there)
        base = found.db if base is None else base
        distance = (found.ws - middle).norm(dim=-1).mean(1)
        row = {"move": name} | measured(dB=found.db, cost=base - found.db, loss=found.losses[-1], distance=distance)
        rows.append(row | {"LPIPS": interval(lab.lpips(found.images, there))})
        shown |= {name: there[:6], f"{name}, found": found.images[:6]}
    return Finding("moved_faces", rows, lab.about, shown)
