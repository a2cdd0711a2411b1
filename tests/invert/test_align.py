"""The FFHQ crop against a slow copy of its recipe, and the way back into the picture."""

import math

import numpy as np
import pytest
import slow_align
from PIL import Image

from iplkit.errors import UserError
from iplkit.invert.align import ALIASED, FFHQ, WORLD, align, eyes_and_mouth, from_dlib5, is_aligned, outside, quad_of, side_of, whole
from iplkit.invert.paste import feather_mask, paste


def face(middle=(60.0, 50.0), eyes=20.0, mouth=22.0, turn=0.0):
    """68 landmarks of which only eyes and mouth mean something, turned by some degrees."""
    points = np.random.default_rng(0).normal(size=(68, 2)) * 5
    spread = np.array([[-3, 0], [-1, -1], [1, -1], [3, 0], [1, 1], [-1, 1]], dtype=float)
    points[36:42], points[42:48] = spread + [-eyes / 2, 0], spread + [eyes / 2, 0]
    points[48], points[54] = [-8, mouth], [8, mouth]
    angle = math.radians(turn)
    return points @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) + middle


def texture(width=120, height=110, seed=0):
    """Smooth colors with some detail."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (height // 6, width // 6, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def smooth(width, height):
    """Colors that a straight line describes, so that resampling loses nothing."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([40 + 160 * x / width, 40 + 160 * y / height, 120 + 60 * (x - y) / (width + height)], -1).round().astype(np.uint8))


def test_a_face_that_looks_ahead_gets_the_square_of_the_recipe():
    quad = quad_of(face((60, 50), eyes=20, mouth=22))
    half, middle = 2.0 * 20, (60, 50 + 2.2)  # 1.8 * 22 is less
    np.testing.assert_allclose(quad, [[middle[0] - half, middle[1] - half], [middle[0] - half, middle[1] + half],
                                      [middle[0] + half, middle[1] + half], [middle[0] + half, middle[1] - half]])  # fmt: skip
    assert side_of(quad_of(face(eyes=20, mouth=30))) == pytest.approx(2 * 1.8 * 30)


@pytest.mark.parametrize("turn", [0, 17, -48, 90, 180])
def test_the_square_is_that_of_the_slow_recipe(turn):
    points = face(turn=turn, mouth=25) + np.random.default_rng(turn + 200).normal(size=(68, 2))
    np.testing.assert_allclose(quad_of(points), slow_align.quad_of(points), atol=1e-9)


CASES = {
    "inside": (face((40, 32), 9, 10), 16, 4, 80, 70),
    "turned": (face((40, 36), 9, 10, turn=33), 16, 4, 80, 72),
    "over the left border": (face((13, 33), 9, 10), 16, 4, 80, 70),
    "over all borders, turned": (face((36, 30), 18, 20, turn=-20), 16, 4, 70, 60),
    "over a corner": (face((70, 62), 8, 9, turn=10), 16, 4, 80, 72),
    "shrunk": (face((100, 90), 24, 26, turn=12), 10, 4, 200, 180),
    "shrunk, over the top": (face((100, 33), 24, 26, turn=-12), 10, 4, 200, 180),
    "aliased": (face((60, 55), 14, 15, turn=33), 16, ALIASED, 120, 110),
    "small": (face((30, 25), 5, 5), 24, 2, 60, 50),
}


@pytest.mark.parametrize("case", CASES)
def test_a_crop_equals_the_slow_recipe_to_one_level(case):
    points, size, oversample, width, height = CASES[case]
    picture, quad = texture(width, height), quad_of(points)
    got = np.asarray(align(picture, quad, size, oversample)).astype(int)
    wanted = slow_align.align(np.asarray(picture), quad, size, oversample)
    assert np.abs(got - wanted).max() <= 1


def test_a_turned_copy_gives_the_same_crop():
    picture, points = texture(200, 200), face((100, 96), 22, 24)
    upright = np.asarray(align(picture, quad_of(points), 48)).astype(int)
    turned = picture.transpose(Image.Transpose.ROTATE_90)  # counterclockwise: (x, y) goes to (y, 199 - x)
    again = np.asarray(align(turned, quad_of(np.stack([points[:, 1], 199 - points[:, 0]], 1)), 48)).astype(int)
    assert np.abs(upright - again).max() <= 1


def test_five_points_say_the_same_as_68():
    points = face((60, 50), turn=11)
    left, right, mouth = eyes_and_mouth(points)
    five = np.stack([left, right, (left + mouth) / 2, mouth - [8, 1], mouth + [8, 1]])
    np.testing.assert_allclose(quad_of(five), quad_of(points), atol=1e-9)


def test_dlibs_five_points_put_the_mouth_on_the_line_through_the_nose():
    corners = np.array([[75.0, 40], [65, 40], [35, 40], [45, 40], [50, 60]])  # the eye on the right of the picture comes first
    left, right, mouth = eyes_and_mouth(from_dlib5(corners))
    assert left.tolist() == [40, 40] and right.tolist() == [70, 40]
    np.testing.assert_allclose(mouth, [55 + 1.37 * (50 - 55), 40 + 1.37 * 20])


def test_aliasing_is_what_the_published_encoders_do_and_not_the_default():
    y, x = np.mgrid[:256, :256]
    checks = Image.fromarray(np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, 2))
    quad = quad_of(face((128, 120), 48, 50, turn=7))  # 192 pixels become 64
    plain, aliased = (np.asarray(align(checks, quad, 64, o)).astype(float) for o in (4, ALIASED))
    assert plain.std() < 10 < 40 < aliased.std()


def test_a_framing_moves_and_widens_the_square_along_with_the_head():
    points = face((60, 50), turn=30)
    plain, wide = quad_of(points), quad_of(points, WORLD)
    assert side_of(wide) == pytest.approx(WORLD.scale * side_of(plain))
    down = (plain[1] - plain[0]) / side_of(plain)
    np.testing.assert_allclose(wide.mean(0) - plain.mean(0), WORLD.down * side_of(plain) * down, atol=1e-9)


def test_a_portrait_of_the_framing_is_known_again():
    points = face((128, 120), 62, 64)
    portrait = align(texture(256, 256), quad_of(points), 128)
    in_portrait = (points - quad_of(points)[0]) / side_of(quad_of(points)) * 128 - 0.5
    assert is_aligned(quad_of(in_portrait), portrait.size, FFHQ)
    assert not is_aligned(quad_of(in_portrait + [0, 12]), portrait.size, FFHQ)
    assert not is_aligned(quad_of(in_portrait), (128, 129), FFHQ)
    assert not is_aligned(quad_of(face((64, 60), 62, 64, turn=90)), portrait.size, FFHQ)


def test_what_lies_outside_is_counted():
    assert outside(whole((100, 80)), (100, 80)) == 0
    square = np.array([[-40.0, 0], [-40, 79], [39, 79], [39, 0]])
    assert outside(square, (100, 80)) == pytest.approx(0.5, abs=0.02)
    assert outside(square + 500, (100, 80)) == 1


@pytest.mark.parametrize("points, words", [
    (np.zeros((12, 2)), r"68 or 5 finite points x y, \[68, 2\] or \[5, 2\]; got \[12, 2\]"),
    (np.full((68, 2), np.nan), "finite"),
    (np.zeros((68, 2)), "in one place"),
])  # fmt: skip
def test_points_that_are_no_face_are_refused(points, words):
    with pytest.raises(UserError, match=words):
        quad_of(points)


def test_crops_that_cannot_be_cut_are_refused():
    picture, quad = texture(), quad_of(face())
    for wrong, words in (
        (lambda: align(picture.convert("L"), quad, 32), "mode RGB; got L"),
        (lambda: align(picture, quad, 0), "positive size"),
        (lambda: align(picture, quad * 0.01, 32), "at least 8 pixels"),
        (lambda: align(picture, quad + 1000, 32), "lies outside"),
        (lambda: from_dlib5(np.zeros((68, 2))), r"\[5, 2\]"),
    ):
        with pytest.raises(UserError, match=words):
            wrong()


def inner(quad, shape, share):
    """Pixels at least `share` sides inside of the quad."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    across, down, side = (quad[3] - quad[0]) / side_of(quad), (quad[1] - quad[0]) / side_of(quad), side_of(quad)
    u = ((x - quad[0][0]) * across[0] + (y - quad[0][1]) * across[1]) / side
    v = ((x - quad[0][0]) * down[0] + (y - quad[0][1]) * down[1]) / side
    return np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v)) > share


@pytest.mark.parametrize("turn, middle, size", [(0, (100, 90), 64), (25, (100, 90), 128), (-140, (100, 90), 512), (10, (20, 170), 128)])
def test_an_unchanged_crop_goes_back_to_where_it_was(turn, middle, size):
    picture, quad = smooth(200, 180), quad_of(face(middle, 25, 26, turn))
    back = paste(picture, align(picture, quad, size), quad)
    change = np.abs(np.asarray(back).astype(int) - np.asarray(picture))
    assert change[inner(quad, change.shape, 0.1)].max() <= 3
    assert change[~inner(quad, change.shape, -0.01)].max() == 0


def test_an_edit_reaches_the_middle_fades_at_the_seam_and_leaves_the_rest_alone():
    picture, quad = smooth(200, 180), quad_of(face((100, 90), 25, 26, 20))
    edited = paste(picture, Image.new("RGB", (64, 64), (255, 0, 255)), quad)
    array, before = np.asarray(edited).astype(int), np.asarray(picture).astype(int)
    assert (array[inner(quad, before.shape, 0.1)] == [255, 0, 255]).all()
    assert (array == before)[~inner(quad, before.shape, -0.01)].all()
    row = np.abs(np.diff(np.asarray(paste(picture, Image.new("RGB", (64, 64), (255, 0, 255)), quad_of(face((100, 90), 25, 26)))).astype(int), axis=1))
    hard = np.abs(np.diff(np.asarray(paste(picture, Image.new("RGB", (64, 64), (255, 0, 255)), quad_of(face((100, 90), 25, 26)), 0)).astype(int), axis=1))
    assert row.max() < 50 < 100 < hard.max()


def test_a_portrait_that_fills_the_picture_replaces_it():
    portrait = texture(64, 64, seed=3)
    assert (np.asarray(paste(texture(64, 64), portrait, whole((64, 64)), 0)) == np.asarray(portrait)).all()


def test_a_seam_goes_from_nothing_at_the_border_to_all_inside():
    mask = feather_mask(100, 0.1)
    assert mask[0].max() < 0.02 and (mask[12:88, 12:88] == 1).all() and (np.diff(mask[50, :12]) > -1e-12).all()
    assert (feather_mask(10, 0) == 1).all()


def test_what_cannot_be_pasted_is_refused():
    picture, quad = texture(), quad_of(face())
    for wrong, words in (
        (lambda: paste(picture, texture(30, 20), quad), "square portrait"),
        (lambda: paste(picture, texture(30, 30).convert("L"), quad), "RGB; got"),
        (lambda: paste(picture, texture(30, 30), quad + 1000), "lies outside"),
        (lambda: paste(picture, texture(30, 30), quad, 0.7), "0 to 0.5"),
    ):
        with pytest.raises(UserError, match=words):
            wrong()
