"""The FFHQ crop: a face turned upright, of one size, at one place, as the generators and encoders of faces learned them.

Karras et al. 2019, "A Style-Based Generator Architecture", App. A, and the recipe that came with the FFHQ data set. The quad that
is cut out is kept, so that what was done to the portrait can be pasted back (`iplkit.invert.paste`).

Points are x and y in pixels; the middle of the top left pixel is (0, 0). Quads are ``[4, 2]``, from the top left corner
counterclockwise: top left, bottom left, bottom right, top right.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from iplkit.errors import UserError

MOUTH_BY_NOSE = 1.37  # from the middle of the eyes, how much farther the mouth is than the nose's base; the mean of dlib's 68 points
OVERSAMPLE = 4  # of FFHQ itself: drawn at 4096, kept at 1024
ALIASED = 1  # of pSp, e4e and ReStyle, whose training crops and ours would differ in their finest pattern
LEAST_SIDE = 8  # of what is cut out, pixels
LARGEST_SIDE = 4096  # of what is drawn before it is shrunk


@dataclass(frozen=True)
class Framing:
    """How much around the face a generator's portraits show, in units of FFHQ's quad.

    Args:
        name: for records.
        scale: side of the portrait.
        down: how far the portrait's middle lies below the quad's.
        spread: a picture is such a portrait already if its corners are no farther from the quad than this, in sides.
    """

    name: str
    scale: float = 1.0
    down: float = 0.0
    spread: float = 0.06


FFHQ = Framing("ffhq")
WORLD = Framing("world", 1.305, 0.031, 0.15)  # means over the world's photos, by true landmarks; its heads come in several sizes


def eyes_and_mouth(points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the crop hangs on.

    Args:
        points: ``[68, 2]`` in dlib's order; or ``[5, 2]``: the eye on the left of the picture, the other eye, the nose, the left
            and the right corner of the mouth.

    Returns:
        The middles of the left eye, the right eye and the mouth, ``[2]`` each.

    Raises:
        UserError: another number of points, or some that are not finite.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.shape not in ((68, 2), (5, 2)) or not np.isfinite(points).all():
        raise UserError(f"alignment needs 68 or 5 finite points x y, [68, 2] or [5, 2]; got {list(points.shape)}")
    if len(points) == 68:
        return points[36:42].mean(axis=0), points[42:48].mean(axis=0), (points[48] + points[54]) / 2
    return points[0], points[1], (points[3] + points[4]) / 2


def from_dlib5(points) -> np.ndarray:
    """dlib's five points, four corners of eyes and the base of the nose, as those of `eyes_and_mouth`, ``[5, 2]``.

    They do not show the mouth; it is put where it lies on the mean face.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.shape != (5, 2):
        raise UserError(f"dlib's five points are [5, 2]; got {list(points.shape)}")
    right, left, nose = points[:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    mouth = (left + right) / 2 + MOUTH_BY_NOSE * (nose - (left + right) / 2)
    return np.stack([left, right, nose, mouth, mouth])


def quad_of(points, framing: Framing = FFHQ) -> np.ndarray:
    """The square to be cut out, ``[4, 2]``, which may reach over the picture's border.

    Its sides follow the line of the eyes and the line from eyes to mouth; it is twice as wide as the eyes are apart, or 1.8
    times the way from eyes to mouth, to each side.

    Raises:
        UserError: points of another form, or all in one place.
    """
    left, right, mouth = eyes_and_mouth(points)
    eyes, between = right - left, (left + right) / 2
    down = mouth - between
    across = eyes + np.array([down[1], -down[0]])
    length = np.hypot(*across)
    if length < 1e-6:
        raise UserError("alignment needs eyes and a mouth in three places; these points are in one line or in one place")
    across *= max(2.0 * np.hypot(*eyes), 1.8 * np.hypot(*down)) / length
    below = np.array([-across[1], across[0]])
    middle = between + 0.1 * down + 2 * framing.down * below
    across, below = across * framing.scale, below * framing.scale
    return np.stack([middle - across - below, middle - across + below, middle + across + below, middle + across - below])


def side_of(quad: np.ndarray) -> float:
    """Pixels from the quad's top left corner to its top right one."""
    return float(np.hypot(*(quad[3] - quad[0])))


def quad_error(quad: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of the corners from those of the true quad, in sides of the true one; 0.02 is two percent."""
    return float(np.linalg.norm(quad - truth, axis=1).mean() / side_of(truth))


def whole(size: tuple[int, int]) -> np.ndarray:
    """The quad of a picture that is not cut at all; size is (width, height)."""
    right, bottom = size[0] - 0.5, size[1] - 0.5
    return np.array([[-0.5, -0.5], [-0.5, bottom], [right, bottom], [right, -0.5]])


def is_aligned(quad: np.ndarray, size: tuple[int, int], framing: Framing = FFHQ) -> bool:
    """Whether a picture already is a portrait of this framing: it is square, and its face is where such portraits have it.

    Args:
        quad: of its face, made with this framing.
        size: of the picture, (width, height).
    """
    if size[0] != size[1]:
        return False
    return quad_error(quad, whole(size)) <= framing.spread


def outside(quad: np.ndarray, size: tuple[int, int], grid: int = 64) -> float:
    """Share of the quad that lies outside of a picture of size (width, height)."""
    steps = (np.arange(grid) + 0.5) / grid
    u, v = np.meshgrid(steps, steps)
    places = quad[0] + u[..., None] * (quad[3] - quad[0]) + v[..., None] * (quad[1] - quad[0])
    inside = (places >= -0.5).all(axis=-1) & (places <= np.array(size) - 0.5).all(axis=-1)
    return float(1 - inside.mean())


def align(picture: Image.Image, quad: np.ndarray, size: int = 256, oversample: int = OVERSAMPLE) -> Image.Image:
    """Cut the quad out of the picture.

    What lies over the border is mirrored, and fades into blur and then into the median color.

    Args:
        picture: mode "RGB".
        quad: see `quad_of`.
        size: side of the portrait, pixels.
        oversample: how much larger it is drawn before it is shrunk; `ALIASED` (1) is what pSp, e4e and ReStyle do at 256 px.

    Returns:
        ``size`` x ``size``, mode "RGB".

    Raises:
        UserError: another mode, or a size that is not positive.
    """
    if picture.mode != "RGB":
        raise UserError(f"alignment needs a picture of mode RGB; got {picture.mode}")
    if size < 1 or oversample < 1:
        raise UserError(f"alignment needs a positive size and oversampling; got {size} and {oversample}")
    quad = np.array(quad, dtype=np.float64)
    if quad.shape != (4, 2) or not np.isfinite(quad).all() or side_of(quad) < LEAST_SIDE:
        raise UserError(f"alignment needs a square of at least {LEAST_SIDE} pixels, four corners x y; got {np.round(quad, 1).tolist()}")
    picture, quad = _shrink(picture, quad, size)
    border = max(round(side_of(quad) * 0.1), 3)
    picture, quad = _cut(picture, quad, border)
    picture, quad = _pad(picture, quad, border)
    drawn = max(size, min(size * oversample, LARGEST_SIDE))
    portrait = picture.transform((drawn, drawn), Image.Transform.QUAD, (quad + 0.5).flatten(), Image.Resampling.BILINEAR)
    return portrait if drawn == size else portrait.resize((size, size), Image.Resampling.LANCZOS)


def _shrink(picture: Image.Image, quad: np.ndarray, size: int) -> tuple[Image.Image, np.ndarray]:
    """By a whole number, as far as the portrait stays half as large as its place in the picture."""
    factor = int(side_of(quad) / size * 0.5)
    if factor <= 1:
        return picture, quad
    smaller = tuple(max(1, round(edge / factor)) for edge in picture.size)
    return picture.resize(smaller, Image.Resampling.LANCZOS), quad / factor


def _box(quad: np.ndarray) -> np.ndarray:
    """Left, top, right, bottom; whole pixels that hold the quad."""
    return np.concatenate([np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))]).astype(int)


def _cut(picture: Image.Image, quad: np.ndarray, border: int) -> tuple[Image.Image, np.ndarray]:
    left, top, right, bottom = _box(quad) + [-border, -border, border, border]
    box = (max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise UserError("alignment needs a face inside of the picture; this one lies outside")
    return picture.crop(box), quad - box[:2]


def _pad(picture: Image.Image, quad: np.ndarray, border: int) -> tuple[Image.Image, np.ndarray]:
    left, top, right, bottom = _box(quad)
    missing = np.maximum(np.array([-left, -top, right - picture.width, bottom - picture.height]) + border, 0)
    side = side_of(quad)
    if missing.max() <= border - 4:
        return picture, quad
    pad = np.maximum(missing, round(side * 0.3))  # at all four sides, also where less is missing
    pixels = np.pad(np.asarray(picture, dtype=np.float32), ((pad[1], pad[3]), (pad[0], pad[2]), (0, 0)), "reflect")
    strength = _depth(pixels.shape[:2], pad)[..., None]
    blurred = gaussian_filter(pixels, (0.02 * side, 0.02 * side, 0))
    pixels += (blurred - pixels) * np.clip(3 * strength + 1, 0, 1)
    pixels += (np.median(pixels, axis=(0, 1)) - pixels) * np.clip(strength, 0, 1)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)), quad + pad[:2]


def _depth(shape: tuple[int, int], pad: np.ndarray) -> np.ndarray:
    """1 at the outermost pixels, 0 where the picture begins, below 0 inside of it, ``[H, W]``."""
    height, width = shape
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    across = 1 - np.minimum(columns / pad[0], (width - 1 - columns) / pad[2])
    down = 1 - np.minimum(rows / pad[1], (height - 1 - rows) / pad[3])
    return np.maximum(across, down)
