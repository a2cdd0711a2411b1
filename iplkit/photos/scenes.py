"""Photos with a known answer: a portrait of the world hangs on a wall, at some place, of some size, crooked.

What a reader's photo never has: true landmarks, the true person, and the same photo with that person in another domain.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import to_pil
from iplkit.invert.paste import paste
from iplkit.world.render import render
from iplkit.world.truth import landmarks

DRAWN = 320  # side at which a portrait is drawn before it is hung, pixels
SIDES = (0.4, 0.65)  # of the wall's shorter edge
TILT = 18.0  # degrees, to either side; dlib's detector knows upright faces


@dataclass(frozen=True)
class Scene:
    """A wall with one portrait.

    Args:
        picture: mode "RGB".
        quad: where the whole portrait hangs, ``[4, 2]`` pixels, in the order of `iplkit.invert.align`.
        points: the true landmarks in the picture, ``[68, 2]``.
        domain: in which the portrait is drawn.
    """

    picture: Image.Image
    quad: np.ndarray
    points: np.ndarray
    domain: str


def wall(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """An empty wall, (width, height) pixels: two colors that flow into each other, and grain."""
    low, high = rng.uniform(40, 215, (2, 3))
    across, down = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    turn = rng.uniform(0, 2 * np.pi)
    share = 0.5 + 0.5 * np.sin(2.2 * (across * np.cos(turn) + down * np.sin(turn)))[..., None]
    pixels = low + share * (high - low) + rng.normal(0, 3, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def place(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A square somewhere on the wall, turned, wholly inside of it, ``[4, 2]``."""
    side, angle = rng.uniform(*SIDES) * min(size), np.deg2rad(rng.uniform(-TILT, TILT))
    half = side / 2 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    turned = half @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    room = np.abs(turned).max(axis=0)
    return turned + rng.uniform(room, np.array(size) - 1 - room)


def hang(factors: Tensor, domain: str = "photo", size: tuple[int, int] = (720, 540), seed: int = 0) -> Scene:
    """Draw one person and hang the portrait.

    Args:
        factors: of one person, ``[1, F]``.
        domain: of the portrait.
        size: of the picture, (width, height).
        seed: of wall, place and texture; the same seed gives the same wall and place in every domain.

    Raises:
        UserError: several people, or an unknown domain.
    """
    if len(factors) != 1:
        raise UserError(f"one portrait hangs on a wall; got {len(factors)} people")
    rng = np.random.default_rng(seed)
    empty, quad = wall(size, rng), place(size, rng)
    with torch.no_grad():
        portrait = to_pil(render(factors, domain, DRAWN, seed=seed))
        points = landmarks(factors, size=DRAWN)[0].double().numpy()
    steps = (points + 0.5) / DRAWN
    where = quad[0] + steps[:, :1] * (quad[3] - quad[0]) + steps[:, 1:] * (quad[1] - quad[0])
    return Scene(paste(empty, portrait, quad, feather=0.02), quad, where, domain)
