"""Strips of one person at several strengths, as PaddleGAN's page on StyleCLIP shows them; frames and a film of an edit.

Axis letters: A strengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import grid, to_pil, write_image
from iplkit.weights import atomic_path

OFFSETS = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
BETA = "0.1"
MOST_FRAMES = 2000
FILM_MS = 60  # a frame


@dataclass(frozen=True)
class Strip:
    """One of the page's edits.

    Args:
        name: of the strip and its files.
        neutral, target: the texts here; where the page's neutral word is "face" the world's CLIP has its own grammar.
    """

    name: str
    neutral: str
    target: str


STRIPS = (
    Strip("boy", "man", "boy"),
    Strip("happy", "face", "happy face"),
    Strip("angry", "face", "angry face"),
    Strip("long hair", "face", "face with long hair"),
    Strip("curly hair", "face", "face with curly hair"),
    Strip("golden hair", "face with black hair", "face with golden hair"),
)


def parse_offsets(text: str) -> tuple[float, ...]:
    """Strengths as a command line writes them: "5" is 0 and 5, "-1..5" every whole step, "0,2.5,5" these.

    Raises:
        UserError: for anything else.
    """
    try:
        if ".." in text:
            low, high = (float(end) for end in text.split(".."))
            if not 0 <= high - low <= MOST_FRAMES:
                raise ValueError
            return tuple(low + k for k in range(int(high - low) + 1))
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"an offset is written as 5, 0,2.5,5 or -1..5; got {text!r}") from None
    if not all(torch.tensor(values).isfinite()):
        raise UserError(f"an offset needs finite numbers; got {text!r}")
    return (0.0, *values) if len(values) == 1 and values[0] != 0 else values


def write_strip(folder: Path, name: str, images: Tensor) -> Path:
    """One row of pictures, ``[A, 3, H, W]``; returns its file."""
    path = Path(folder) / f"{name.replace(' ', '-')}.png"
    write_image(path, grid(images, len(images)))
    return path


def frame_offsets(offsets: Sequence[float], frames: int) -> Tensor:
    """Strengths from the least to the largest in equal steps, ``[frames]``.

    Raises:
        UserError: fewer than 2 frames, or very many.
    """
    if not 2 <= frames <= MOST_FRAMES:
        raise UserError(f"a film needs 2 to {MOST_FRAMES} frames; got {frames}")
    return torch.linspace(min(offsets), max(offsets), frames)


def write_frames(folder: Path, name: str, images: Tensor) -> Path:
    """Each frame as a file, 0000.png on; returns their folder."""
    where = Path(folder) / f"{name.replace(' ', '-')}-frames"
    where.mkdir(parents=True, exist_ok=True)
    for k, image in enumerate(images):
        write_image(where / f"{k:04d}.png", image)
    return where


def write_film(path: Path, images: Tensor) -> Path:
    """A GIF that goes to the end and back, ``[A, 3, H, W]``."""
    frames = [to_pil(image) for image in [*images, *images.flip(0)[1:-1]]]
    with atomic_path(path) as temporary:
        frames[0].save(temporary, format="GIF", save_all=True, append_images=frames[1:], duration=FILM_MS, loop=0)
    return path
