"""Put an edited portrait back where it was cut out: the inverse of the FFHQ crop, with a seam that fades."""

import numpy as np
from PIL import Image

from iplkit.errors import UserError
from iplkit.invert.align import side_of

FEATHER = 0.08  # of the portrait's side


def feather_mask(size: int, feather: float = FEATHER) -> np.ndarray:
    """How much of the portrait is shown, ``[size, size]`` in [0, 1]: 0 at its border, 1 from `feather` sides inward.

    Raises:
        UserError: if `feather` is not from 0 (a hard edge) to 0.5.
    """
    if not 0 <= feather <= 0.5:
        raise UserError(f"a seam fades over 0 to 0.5 of the portrait's side; got {feather}")
    places = (np.arange(size) + 0.5) / size
    depth = np.minimum(places, 1 - places)
    depth = np.minimum(depth[:, None], depth[None])
    share = np.clip(depth / feather, 0, 1) if feather > 0 else np.ones((size, size))
    return share * share * (3 - 2 * share)  # no kink at either end


def paste(picture: Image.Image, portrait: Image.Image, quad: np.ndarray, feather: float = FEATHER) -> Image.Image:
    """The picture with the portrait in the place of its quad; everything outside of the quad keeps its bytes.

    Args:
        picture: what the portrait was cut out of, mode "RGB".
        portrait: the edited crop, square, any size, mode "RGB".
        quad: the place that `iplkit.invert.align.align` cut out, ``[4, 2]`` pixels; parts of it may lie outside of the picture.
        feather: width of the seam, in sides of the portrait.

    Returns:
        A new picture of the same size.

    Raises:
        UserError: a portrait that is not square, or another mode.
    """
    if portrait.width != portrait.height or picture.mode != "RGB" or portrait.mode != "RGB":
        raise UserError(f"pasting needs a square portrait and RGB; got {portrait.size} {portrait.mode} into {picture.mode}")
    quad = np.asarray(quad, dtype=np.float64)
    low = np.maximum(np.floor(quad.min(axis=0) + 0.5), 0).astype(int)
    high = np.minimum(np.ceil(quad.max(axis=0) + 0.5), picture.size).astype(int)
    if (low >= high).any():
        raise UserError("pasting needs a place inside of the picture; this quad lies outside")
    portrait = _fit(portrait, side_of(quad))
    mask = Image.fromarray(np.rint(feather_mask(portrait.width, feather) * 255).astype(np.uint8))
    size, back = tuple(int(n) for n in high - low), _into_portrait(quad, portrait.width, low)
    placed = portrait.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)
    shown = mask.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    out = picture.copy()
    out.paste(placed, (int(low[0]), int(low[1])), shown)
    return out


def _fit(portrait: Image.Image, side: float) -> Image.Image:
    """A portrait larger than its place is shrunk first, so that no detail folds into a false pattern."""
    wanted = max(1, round(side))
    return portrait.resize((wanted, wanted), Image.Resampling.LANCZOS) if portrait.width > wanted else portrait


def _into_portrait(quad: np.ndarray, size: int, origin: np.ndarray) -> tuple[float, ...]:
    """Six numbers that lead from a place in the cut-out part of the picture to one in the portrait, as Pillow wants them."""
    corner, across, down = quad[0] + 0.5 - origin, quad[3] - quad[0], quad[1] - quad[0]
    back = np.linalg.inv(np.stack([across, down], axis=1)) * size
    shift = -back @ corner
    return (back[0, 0], back[0, 1], shift[0], back[1, 0], back[1, 1], shift[1])
