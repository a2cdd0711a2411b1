"""The faces of a picture, whatever its size: dlib looks at a copy of a size that suits it."""

import numpy as np
import torch
from PIL import Image

from iplkit.errors import UserError
from iplkit.faces import Face, find_faces
from iplkit.invert.align import eyes_and_mouth, from_dlib5

LOOK_FROM, LOOK_UP_TO = 256, 1280  # longer side of the copy; dlib's smallest face is a 32nd of the larger one


def faces_of(picture: Image.Image, points: int = 68, mirrored: bool = True) -> list[Face]:
    """All faces, in the detector's order.

    Args:
        picture: mode "RGB", any size. A small one is enlarged for the search, a large one shrunk.
        points: 68 or 5 landmarks, as dlib numbers them.
        mirrored: landmarks are means over the picture and its mirror image; the published scripts ask the picture alone.

    Returns:
        Boxes and landmarks in pixels of `picture`.
    """
    longest = max(picture.size)
    wanted = min(max(longest, LOOK_FROM), LOOK_UP_TO)
    copy = picture
    if wanted != longest:
        size = tuple(max(1, round(edge * wanted / longest)) for edge in picture.size)
        copy = picture.resize(size, Image.Resampling.LANCZOS)
    scale = np.array(picture.size) / np.array(copy.size)
    found = find_faces(torch.from_numpy(np.array(copy)).permute(2, 0, 1), points=points, mirrored=mirrored)
    return [_scaled(face, scale) for face in found]


def _scaled(face: Face, scale: np.ndarray) -> Face:
    box = (np.array(face.box).reshape(2, 2) + 0.5) * scale - 0.5
    points = (face.landmarks.double() + 0.5) * torch.from_numpy(scale) - 0.5
    return Face(tuple(int(edge) for edge in np.rint(box).flatten()), points.float())


def choose(faces: list[Face], which: str | int = "largest") -> list[Face]:
    """Some of the faces.

    Args:
        faces: from `faces_of`; not empty.
        which: "largest", "all" (the largest first), a number (1 is the largest), or "last", as the aligning script of pSp, e4e
            and IPL takes the one that the detector is least certain of.

    Raises:
        UserError: no such face.
    """
    ordered = sorted(faces, key=lambda face: -_area(face))
    if which == "all":
        return ordered
    if which == "largest":
        return ordered[:1]
    if which == "last":
        return faces[-1:]
    if not isinstance(which, int) or not 1 <= which <= len(faces):
        raise UserError(f"a face is largest, last, all or a number from 1 to {len(faces)}, as there are {len(faces)} here; got {which!r}")
    return [ordered[which - 1]]


def points_of(face: Face) -> np.ndarray:
    """A face's landmarks as `iplkit.invert.align.quad_of` takes them."""
    points = face.landmarks.double().numpy()
    return from_dlib5(points) if len(points) == 5 else points


def refuse_cut_face(points: np.ndarray, size: tuple[int, int]) -> None:
    """A face must show both eyes and its mouth.

    Args:
        points: see `iplkit.invert.align.eyes_and_mouth`.
        size: of the picture, (width, height).

    Raises:
        UserError: if the border cuts them off.
    """
    for name, (x, y) in zip(("left eye", "right eye", "mouth"), eyes_and_mouth(points)):
        if not (0 <= x <= size[0] - 1 and 0 <= y <= size[1] - 1):
            raise UserError(f"a face needs both eyes and its mouth inside of the picture; the {name} is cut off: take a picture with more around the face")


def _area(face: Face) -> int:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)
