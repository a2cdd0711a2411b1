"""From a reader's picture to portraits that a generator's encoder understands, each with the way back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import from_pil
from iplkit.invert.align import FFHQ, OVERSAMPLE, Framing, align, is_aligned, outside, quad_of, side_of, whole
from iplkit.invert.find import choose, faces_of, points_of, refuse_cut_face
from iplkit.invert.paste import FEATHER, paste
from iplkit.invert.pictures import Picture

SAID_FROM = 0.02  # share of a portrait outside of its picture
MOST_OUTSIDE = 0.5


@dataclass(frozen=True)
class Portrait:
    """One face of one picture.

    Args:
        picture: where it was cut out.
        quad: what was cut out, ``[4, 2]`` pixels.
        crop: the cut-out, square, mode "RGB".
        aligned: nothing was cut out; the whole picture is the portrait.
        notes: sentences about the picture and the crop.
    """

    picture: Picture
    quad: np.ndarray
    crop: Image.Image
    aligned: bool
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> Tensor:
        """The crop, ``[1, 3, S, S]`` in [-1, 1]."""
        return from_pil(self.crop)

    def paste(self, edited: Image.Image, feather: float = FEATHER) -> Image.Image:
        """The picture with an edited crop in its place; see `iplkit.invert.paste.paste`."""
        return paste(self.picture.rgb, edited, self.quad, 0 if self.aligned else feather)

    def record(self) -> dict:
        """What a record says about it."""
        return {
            "picture": self.picture.path.name,
            "size": list(self.picture.rgb.size),
            "quad": np.round(self.quad, 3).tolist(),
            "aligned": self.aligned,
            "outside": round(outside(self.quad, self.picture.rgb.size), 4),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Cutting:
    """How portraits are cut out.

    Args:
        size: side of a portrait, pixels.
        framing: how much around the face the generator's portraits show.
        aligned: True takes pictures as they are, False always cuts, None cuts where a picture is not yet a portrait.
        faces: see `iplkit.invert.find.choose`.
        points, mirrored: see `iplkit.invert.find.faces_of`.
        oversample: see `iplkit.invert.align.align`.
    """

    size: int
    framing: Framing = FFHQ
    aligned: bool | None = None
    faces: str | int = "largest"
    points: int = 68
    mirrored: bool = True
    oversample: int = OVERSAMPLE


def portraits_of(picture: Picture, how: Cutting, landmarks: np.ndarray | None = None) -> list[Portrait]:
    """The portraits in a picture.

    Args:
        picture: see `iplkit.invert.pictures.open_picture`.
        how: see `Cutting`.
        landmarks: of the face, by hand, ``[68, 2]`` or ``[5, 2]``; dlib is then not needed.

    Returns:
        One portrait for each face asked for, at least one.

    Raises:
        UserError: no face, a face that the border cuts, no such face, or a picture that shall be a portrait and is not square.
    """
    if how.aligned:
        return [_uncut(picture, how, ())]
    if landmarks is not None:
        return [_portrait(picture, np.asarray(landmarks, dtype=np.float64), how, ())]
    found = faces_of(picture.rgb, how.points, how.mirrored)
    if not found:
        raise UserError(
            f"{picture.path} needs a whole face that looks about ahead; none was found: take another picture, mark its landmarks by hand, "
            "or say that it is a portrait already (--aligned)"
        )
    chosen = choose(found, how.faces)
    more = (f"it shows {len(found)} faces, and the largest was taken; --face 2 takes the next",) if how.faces == "largest" and len(found) > 1 else ()
    return [_portrait(picture, points_of(face), how, more) for face in chosen]


def _uncut(picture: Picture, how: Cutting, notes: tuple[str, ...]) -> Portrait:
    size = picture.rgb.size
    if size[0] != size[1]:
        raise UserError(f"{picture.path} needs to be square to be a portrait already; it is {size[0]} x {size[1]}: leave --aligned away, or cut it")
    crop = picture.rgb if size[0] == how.size else picture.rgb.resize((how.size, how.size), Image.Resampling.LANCZOS)
    return Portrait(picture, whole(size), crop, True, picture.notes + notes)


def _portrait(picture: Picture, points: np.ndarray, how: Cutting, notes: tuple[str, ...]) -> Portrait:
    size = picture.rgb.size
    try:
        quad = quad_of(points, how.framing)
        if how.aligned is None and is_aligned(quad, size, how.framing):
            note = "its face is where the generator's portraits have it, so nothing was cut; --align cuts all the same"
            return _uncut(picture, how, (*notes, note))
        refuse_cut_face(points, size)
        missing = outside(quad, size)
        if missing > MOST_OUTSIDE:
            raise UserError(f"a portrait needs half of its square inside of the picture; {missing:.0%} is outside: take a picture with more around the face")
        crop = align(picture.rgb, quad, how.size, how.oversample)
    except UserError as error:
        raise UserError(f"{picture.path}: {error}") from error
    if missing > SAID_FROM:
        notes = (*notes, f"{missing:.0%} of the portrait lies outside of the picture and was mirrored and blurred")
    if side_of(quad) < how.size / 2:
        notes = (*notes, f"its face is small: {side_of(quad):.0f} pixels became {how.size}")
    return Portrait(picture, quad, crop, False, picture.notes + notes)


def read_landmarks(path: str | Path) -> np.ndarray:
    """Landmarks by hand: a file of numbers, x and y in pixels, one point a line (or .npy), 68 points or 5.

    Raises:
        UserError: no such file, no numbers, or another number of points.
    """
    path = Path(path)
    try:
        points = np.load(path, allow_pickle=False) if path.suffix == ".npy" else _numbers(path.read_text(encoding="utf-8"))
        points = np.asarray(points, dtype=np.float64)
    except FileNotFoundError as error:
        raise UserError(f"landmarks are needed at {path}; there is no file") from error
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise UserError(f"{path} needs two numbers a line, x and y of one landmark; it holds something else") from error
    if points.shape not in ((68, 2), (5, 2)):
        raise UserError(f"{path} needs 68 or 5 landmarks, x and y; it holds numbers of shape {list(points.shape)}")
    return points


def _numbers(text: str) -> list[list[float]]:
    return [[float(number) for number in line.replace(",", " ").split()] for line in text.splitlines() if line.strip()]
