"""From a picture to portraits: dlib's faces at any size, which one is taken, and what is said about it."""

import numpy as np
import pytest
import torch
from PIL import Image

from iplkit import faces
from iplkit.errors import UserError
from iplkit.faces import Face
from iplkit.images import to_pil
from iplkit.invert import find, portraits
from iplkit.invert.align import FFHQ, WORLD, quad_error, quad_of, side_of
from iplkit.invert.pictures import Picture
from iplkit.invert.portraits import Cutting, portraits_of, read_landmarks
from iplkit.world.factors import NUM_FACTORS, indices
from iplkit.world.render import render
from iplkit.world.truth import landmarks


def people(n):
    """Factors of n different people who look ahead, not too near and without glasses."""
    factors = torch.rand(n, NUM_FACTORS, generator=torch.Generator().manual_seed(5))
    factors[:, indices(("yaw", "pitch", "size"))] = 0.5
    factors[:, indices(("glasses", "beard", "fringe"))] = 0
    return factors


def picture_of(image, name="p.png"):
    return Picture(image, find.__file__ and portraits.Path(name))


@pytest.fixture(scope="module")
def scene():
    """Two people side by side, the right one larger, and their true landmarks."""
    factors = people(2)
    sheet = Image.new("RGB", (480, 300), (90, 120, 90))
    sheet.paste(to_pil(render(factors[:1], size=180)), (0, 60)), sheet.paste(to_pil(render(factors[1:], size=300)), (180, 0))
    truth = [landmarks(factors[:1], size=180)[0].numpy() + [0, 60], landmarks(factors[1:], size=300)[0].numpy() + [180, 0]]
    return picture_of(sheet, "two.png"), truth


def test_the_largest_face_is_taken_and_the_others_are_mentioned(scene):
    picture, truth = scene
    (portrait,) = portraits_of(picture, Cutting(128))
    assert quad_error(portrait.quad, quad_of(truth[1])) < 0.1
    assert "2 faces" in portrait.notes[0] and "--face 2" in portrait.notes[0]
    assert portrait.image.shape == (1, 3, 128, 128) and not portrait.aligned


def test_all_faces_come_with_the_largest_first_and_one_can_be_chosen(scene):
    picture, truth = scene
    both = portraits_of(picture, Cutting(64, faces="all"))
    assert [quad_error(p.quad, quad_of(t)) < 0.1 for p, t in zip(both, truth[::-1])] == [True, True]
    (second,) = portraits_of(picture, Cutting(64, faces=2))
    assert np.array_equal(second.quad, both[1].quad) and second.notes == ()
    with pytest.raises(UserError, match="from 1 to 2, as there are 2 here; got 3"):
        portraits_of(picture, Cutting(64, faces=3))


def test_five_landmarks_give_about_the_same_crop(scene):
    picture, truth = scene
    (portrait,) = portraits_of(picture, Cutting(64, points=5))
    assert quad_error(portrait.quad, quad_of(truth[1])) < 0.12


def fake(box):
    left, top, right, bottom = box
    return Face(box, torch.tensor([[left, top], [right, bottom]], dtype=torch.float32))


def test_the_published_scripts_take_the_last_face_and_we_the_largest():
    found = [fake((0, 0, 10, 10)), fake((0, 0, 30, 30)), fake((0, 0, 20, 20))]
    assert find.choose(found) == [found[1]] and find.choose(found, "last") == [found[2]]
    assert find.choose(found, "all") == [found[1], found[2], found[0]] and find.choose(found, 3) == [found[0]]


@pytest.mark.parametrize("size, copy", [((64, 64), (256, 256)), ((300, 200), (300, 200)), ((4000, 1000), (1280, 320))])
def test_the_detector_looks_at_a_copy_of_a_size_that_suits_it(monkeypatch, size, copy):
    seen = []

    def one_point(image, points, mirrored):
        seen.append((image.shape[2], image.shape[1]))
        return [Face((0, 0, copy[0] - 1, copy[1] - 1), torch.tensor([[-0.5, -0.5], [copy[0] - 0.5, copy[1] - 0.5]]))]

    monkeypatch.setattr(find, "find_faces", one_point)
    (face,) = find.faces_of(Image.new("RGB", size))
    assert seen == [copy]
    assert face.landmarks.tolist() == [[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]]


def test_a_world_portrait_of_64_pixels_is_found_and_known_as_a_portrait():
    factors = people(3)
    for image in render(factors, size=64):
        (portrait,) = portraits_of(picture_of(to_pil(image)), Cutting(64, WORLD))
        assert portrait.aligned and "nothing was cut" in portrait.notes[0]
        assert np.array_equal(np.asarray(portrait.crop), np.asarray(to_pil(image)))
        (cut,) = portraits_of(picture_of(to_pil(image)), Cutting(64, WORLD, aligned=False))
        assert not cut.aligned


def test_a_face_in_a_larger_picture_is_cut_to_the_framing_of_the_world():
    factors = people(1)
    sheet = Image.new("RGB", (500, 400), (90, 120, 90))
    sheet.paste(to_pil(render(factors, size=200)), (240, 150))
    (portrait,) = portraits_of(picture_of(sheet), Cutting(64, WORLD))
    assert not portrait.aligned
    assert abs(side_of(portrait.quad) / 200 - 1) < 0.12 and np.abs(portrait.quad.mean(0) - [339.5, 249.5]).max() < 0.08 * 200


@pytest.fixture
def no_dlib(monkeypatch):
    def refuse():
        raise AssertionError("dlib was asked")

    monkeypatch.setattr(faces, "_dlib", refuse)


def test_landmarks_by_hand_need_no_dlib(no_dlib, scene):
    picture, truth = scene
    (portrait,) = portraits_of(picture, Cutting(64), truth[0])
    np.testing.assert_allclose(portrait.quad, quad_of(truth[0]))


def test_a_picture_that_is_said_to_be_a_portrait_is_not_searched(no_dlib):
    image = Image.effect_noise((100, 100), 50).convert("RGB")
    (portrait,) = portraits_of(picture_of(image), Cutting(64, FFHQ, aligned=True))
    assert portrait.aligned and portrait.crop.size == (64, 64)
    assert portrait.paste(image.resize((64, 64))).size == (100, 100)
    with pytest.raises(UserError, match="to be square to be a portrait already; it is 100 x 90"):
        portraits_of(picture_of(image.crop((0, 0, 100, 90))), Cutting(64, FFHQ, aligned=True))


def test_no_face_is_one_sentence_that_says_what_to_do():
    with pytest.raises(UserError, match="none was found: take another picture, mark its landmarks by hand, or say"):
        portraits_of(picture_of(Image.new("RGB", (128, 128))), Cutting(64))


def test_a_face_that_the_border_cuts_is_refused(scene):
    picture, truth = scene
    shifted = truth[0] - [float(truth[0][36:42, 0].mean()) + 5, 0]
    with pytest.raises(UserError, match="two.png: a face needs both eyes and its mouth.* the left eye is cut off: take"):
        portraits_of(picture, Cutting(64), shifted)
    corner = picture_of(picture.rgb.crop((0, 0, 180, 250)))
    right, bottom = truth[0][36:48, 0].max() + 2, truth[0][[48, 54], 1].max() + 2
    tight = (int(truth[0][36:48, 0].min() - 2), int(truth[0][36:48, 1].min() - 2), int(right), int(bottom))
    with pytest.raises(UserError, match="half of its square inside"):
        portraits_of(picture_of(corner.rgb.crop(tight)), Cutting(64), truth[0] - tight[:2])


def test_what_was_mirrored_or_enlarged_is_said(scene):
    picture, truth = scene
    portrait = portraits_of(picture_of(picture.rgb.crop((40, 90, 300, 300))), Cutting(512), truth[0] - [40, 90])[0]
    assert any("lies outside of the picture and was mirrored" in note for note in portrait.notes)
    assert any("its face is small" in note and "became 512" in note for note in portrait.notes)
    assert portrait.record()["outside"] > 0.02 and len(portrait.record()["quad"]) == 4


@pytest.mark.parametrize("name, content, words", [
    ("a.txt", "1 2\n3 4\n", r"68 or 5 landmarks.*\[2, 2\]"),
    ("a.txt", "x y\n", "two numbers a line"),
    ("a.txt", "", r"68 or 5 landmarks"),
    ("a.npy", "no array", "two numbers a line"),
])  # fmt: skip
def test_files_without_landmarks_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        read_landmarks(tmp_path / name)
    with pytest.raises(UserError, match="there is no file"):
        read_landmarks(tmp_path / "none.txt")


def test_landmarks_are_read_from_text_and_from_npy(tmp_path):
    five = np.arange(10.0).reshape(5, 2)
    np.savetxt(tmp_path / "a.csv", five, delimiter=",")
    np.savetxt(tmp_path / "a.txt", five)
    np.save(tmp_path / "a.npy", five.astype(int))
    for name in ("a.csv", "a.txt", "a.npy"):
        assert np.array_equal(read_landmarks(tmp_path / name), five)


def test_on_the_world_dlibs_crop_lies_near_the_true_one():
    errors = []
    for image, truth in zip(render(people(4), size=256), landmarks(people(4), size=256)):
        (portrait,) = portraits_of(picture_of(to_pil(image)), Cutting(64, aligned=False))
        errors.append(quad_error(portrait.quad, quad_of(truth.numpy())))
    assert np.median(errors) < 0.05  # bench/bench_align.py measures 200 faces; its median is 0.02
