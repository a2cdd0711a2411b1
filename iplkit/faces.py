"""A stranger's eye: dlib's face detector and landmarks, which never saw our world.

dlib was trained on photographs, so what it finds in a render says that a face is there for others too. The landmark
files lie in the package face_recognition_models, which is located and never imported.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import to_uint8

PREDICTORS = {68: "shape_predictor_68_face_landmarks.dat", 5: "shape_predictor_5_face_landmarks.dat"}
OUTER_CORNERS = (36, 45)  # of the two eyes, in dlib's order
_MIRROR_RUNS = ((16, 0), (26, 17), (27, 30), (35, 31), (45, 42), (47, 46), (39, 36), (41, 40), (54, 48), (59, 55), (64, 60), (67, 65))
MIRROR = {68: [k for a, b in _MIRROR_RUNS for k in range(a, b + (1 if b > a else -1), 1 if b > a else -1)], 5: [2, 3, 0, 1, 4]}
"""Which landmark of the mirrored picture is the same one, for 68 and for 5 points."""


def predictor_path(points: int = 68) -> Path:
    """Where dlib's landmark file stands: 68 points, or 5.

    Raises:
        UserError: if there is no such file, or the package that carries it is not installed.
    """
    if points not in PREDICTORS:
        raise UserError(f"dlib finds 68 landmarks or 5; got {points}")
    spec = find_spec("face_recognition_models")
    for folder in spec.submodule_search_locations if spec else ():
        if (path := Path(folder) / "models" / PREDICTORS[points]).is_file():
            return path
    raise UserError(f"landmarks need {PREDICTORS[points]} from the package face_recognition_models; it is not installed")


@lru_cache(maxsize=1)
def _detector():
    return _dlib().get_frontal_face_detector()


@lru_cache(maxsize=2)
def _predictor(points: int = 68):
    return _dlib().shape_predictor(str(predictor_path(points)))


def _dlib():
    try:
        import dlib
    except ImportError as error:
        raise UserError("finding faces needs the module dlib (wheel dlib-bin); it is not installed") from error
    return dlib


@dataclass(frozen=True)
class Face:
    """What dlib found in one picture."""

    box: tuple[int, int, int, int]  # left, top, right, bottom, pixels
    landmarks: Tensor  # [68, 2] or [5, 2], x and y in pixels, the middle of the top left pixel is (0, 0)


def _pixels(image: Tensor) -> np.ndarray:
    """``[3, H, W]`` in [-1, 1], or uint8, as dlib's ``[H, W, 3]`` bytes."""
    if image.ndim != 3 or image.shape[0] != 3:
        raise UserError(f"a face is looked for in an image [3, H, W]; got {tuple(image.shape)}")
    if image.dtype != torch.uint8:
        image = to_uint8(image[None])[0]
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())


def has_face(image: Tensor, upsample: int = 1) -> bool:
    """Whether dlib's frontal detector finds a face; `find_face` without the landmarks."""
    return len(_detector()(_pixels(image), upsample)) > 0


def find_face(image: Tensor, upsample: int = 1) -> Face | None:
    """The largest face that dlib's frontal detector finds, with its landmarks.

    The detector was made for heads of 80 px and more; smaller ones need `upsample`.

    Args:
        image: ``[3, H, W]`` in [-1, 1], or uint8.
        upsample: how many times the picture is doubled before the search; 1 is the usual.

    Returns:
        The face, or None.
    """
    pixels = _pixels(image)
    boxes = _detector()(pixels, upsample)
    return _face(pixels, max(boxes, key=lambda box: box.area())) if boxes else None


def find_faces(image: Tensor, upsample: int = 1, points: int = 68, mirrored: bool = False) -> list[Face]:
    """All faces, in the detector's order, which is that of its certainty.

    Args:
        image, upsample: see `find_face`.
        points: 68, or 5: the outer and the inner corner of the eye on the right of the picture, the same of the left one, and
            the base of the nose.
        mirrored: look for the landmarks in the mirrored picture too, and take the means; then left and right are alike.
    """
    predictor_path(points)  # refuses before work starts
    pixels = _pixels(image)
    faces = [_face(pixels, box, points) for box in _detector()(pixels, upsample)]
    if not mirrored or not faces:
        return faces
    other = np.ascontiguousarray(pixels[:, ::-1])
    return [Face(face.box, (face.landmarks + _mirrored_landmarks(other, face.box, points)) / 2) for face in faces]


def _mirrored_landmarks(other: np.ndarray, box: tuple[int, int, int, int], points: int) -> Tensor:
    """Landmarks that dlib finds in the mirrored picture, brought back."""
    edge, (left, top, right, bottom) = other.shape[1] - 1, box
    found = _face(other, _dlib().rectangle(edge - right, top, edge - left, bottom), points).landmarks[MIRROR[points]]
    return torch.stack([edge - found[:, 0], found[:, 1]], dim=1)


def _face(pixels: np.ndarray, box, points: int = 68) -> Face:
    found = [(p.x, p.y) for p in _predictor(points)(pixels, box).parts()]
    return Face((box.left(), box.top(), box.right(), box.bottom()), torch.tensor(found, dtype=torch.float32))


def landmark_error(found: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of the landmarks from the truth, in units of the distance between the outer eye corners.

    Args:
        found, truth: ``[..., 68, 2]`` in pixels; the unit is the truth's.

    Returns:
        ``[...]``; 0.08 is eight percent.
    """
    left, right = OUTER_CORNERS
    unit = (truth[..., left, :] - truth[..., right, :]).norm(dim=-1)
    return (found - truth).norm(dim=-1).mean(dim=-1) / unit
