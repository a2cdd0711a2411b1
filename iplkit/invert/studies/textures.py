"""Pictures without a face or any thing: stripes, checks, blobs and flat halves, from seeds."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.images import from_uint8, to_uint8

KINDS = ("stripes", "checks", "blobs", "halves")


def textures(n: int, size: int, seed: int = 0) -> Tensor:
    """n textures, the kinds in turn, ``[n, 3, size, size]`` in [-1, 1]; texture i is the same in any company."""
    made = [texture(KINDS[i % len(KINDS)], size, draw(seed, "texture", i)) for i in range(n)]
    return from_uint8(to_uint8(torch.stack(made)))


def texture(kind: str, size: int, generator: torch.Generator) -> Tensor:
    """One texture in two colors, ``[3, size, size]``."""
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    angle, phase, waves = torch.rand(3, generator=generator).tolist()
    angle, waves = angle * math.pi, 2 + 4 * waves
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    if kind == "stripes":
        share = 0.5 + 0.5 * torch.sin(2 * math.pi * (waves * along + phase))
    elif kind == "checks":
        share = (torch.sin(2 * math.pi * (waves / 2 * along + phase)) * torch.sin(math.pi * waves * across) > 0).float()
    elif kind == "blobs":
        grid = torch.rand(1, 1, 7, 7, generator=generator)
        share = F.interpolate(grid, (size, size), mode="bicubic", align_corners=True)[0, 0].clamp(0, 1)
    else:
        share = (along - along.mean() > 0.2 * (phase - 0.5)).float()
    one, two = (torch.rand(3, 1, 1, generator=generator) * 2 - 1 for _ in range(2))
    return one + share * (two - one)
