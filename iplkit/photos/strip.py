"""A photo and what became of it, side by side with labels."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from iplkit.images import from_pil
from iplkit.invert.portraits import Portrait
from iplkit.plotting import DPI, SOURCE, image_grid
from iplkit.weights import atomic_path

TILE = 256  # pixels


def draw_strip(path: Path, portrait: Portrait, pictures: Sequence[tuple[str, Image.Image]]) -> None:
    """Write the photo with a frame around what was cut out, then the pictures, each under its label.

    Args:
        path: ends in ``.png``.
        portrait: whose photo.
        pictures: label and picture; small ones keep their pixels as squares.
    """
    tiles = [tile(framed(portrait)), *(tile(picture) for _, picture in pictures)]
    images = torch.cat([from_pil(t) for t in tiles])
    figure = image_grid(images, [""], ["photo", *(label for label, _ in pictures)])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None})


def framed(portrait: Portrait) -> Image.Image:
    """The photo at the size of a tile, with the quad drawn on it."""
    picture = portrait.picture.rgb
    scale = TILE / max(picture.size)
    small = picture.resize(tuple(max(1, round(edge * scale)) for edge in picture.size), Image.Resampling.LANCZOS)
    if not portrait.aligned:
        corners = [tuple(corner) for corner in (portrait.quad + 0.5) * scale]
        ImageDraw.Draw(small).line([*corners, corners[0]], fill="white", width=4)
        ImageDraw.Draw(small).line([*corners, corners[0]], fill=SOURCE, width=2)
    return small


def tile(picture: Image.Image) -> Image.Image:
    """A picture in the middle of a white square."""
    if max(picture.size) > TILE:
        scale = TILE / max(picture.size)
        picture = picture.resize(tuple(max(1, round(edge * scale)) for edge in picture.size), Image.Resampling.LANCZOS)
    elif max(picture.size) <= TILE // 2:
        picture = picture.resize(tuple(edge * (TILE // max(picture.size)) for edge in picture.size), Image.Resampling.NEAREST)
    sheet = Image.new("RGB", (TILE, TILE), "white")
    sheet.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return sheet
