from statistics import median

import pytest
import torch

from iplkit.errors import UserError
from iplkit.faces import find_face, landmark_error
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.factors import CIRCUMSTANCE, IDENTITY, NUM_FACTORS, index, indices, sample_factors
from iplkit.world.render import render
from iplkit.world.truth import NUM_KINDS, PARTS, identity, kinds, landmarks, part_masks

MIRROR = (
    [16 - i for i in range(17)] + [43 - i for i in range(17, 27)] + [27, 28, 29, 30] + [66 - i for i in range(31, 36)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55] + [64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip


def people(n: int, seed: int = 0) -> torch.Tensor:
    return sample_factors(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("domain", DOMAINS)
def test_68_landmarks_lie_inside_the_picture(domain):
    points = landmarks(people(200), domain, 64)
    assert points.shape == (200, 68, 2)
    assert points.min() > 0 and points.max() < 63


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_head_that_looks_ahead_has_symmetric_landmarks(domain):
    factors = people(20)
    factors[:, index("yaw")] = 0.5
    points = landmarks(factors, domain, 64)
    mirrored = points[:, MIRROR]
    torch.testing.assert_close(mirrored[..., 0], 63 - points[..., 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(mirrored[..., 1], points[..., 1], atol=1e-4, rtol=0)


def test_landmarks_are_the_same_places_at_every_size():
    factors = people(3)
    torch.testing.assert_close((landmarks(factors, "photo", 64) + 0.5) * 4 - 0.5, landmarks(factors, "photo", 256))


def test_landmarks_follow_the_order_of_dlib():
    points = landmarks(torch.full((1, NUM_FACTORS), 0.5), "photo", 128)[0]
    x, y = points.unbind(-1)
    assert (x[:17].diff() > 0).all() and y[8] == y.max()  # jaw from left to right, chin lowest
    assert (x[17:27].diff() > 0).all() and (y[27:31].diff() > 0).all() and (x[31:36].diff() > 0).all()
    assert y[37] < y[41] and x[36] < x[39] < x[42] < x[45]  # lids; left eye, right eye
    assert x[48] < x[51] < x[54] and y[51] < y[62] < y[66] < y[57]  # lips from top to bottom


@pytest.mark.parametrize(
    ("part", "points"), [("eye", [36, 39, 42, 45]), ("lip", [48, 51, 54, 57]), ("brow", [18, 19, 24, 25])]
)
def test_landmarks_touch_the_parts_they_name(part, points):
    factors = people(8, seed=2)
    factors[:, indices(("yaw", "pitch"))] = 0.5
    where = landmarks(factors, "photo", 256)[:, points].round().long()
    mask = part_masks(factors, "photo", 256)[part]
    near = torch.nn.functional.max_pool2d(mask[:, None], 13, 1, 6)[:, 0]  # within 6 px
    hit = torch.stack([near[i, where[i, :, 1], where[i, :, 0]] for i in range(8)])
    assert (hit > 0.3).all()


def test_masks_lie_between_0_and_1_in_every_domain():
    for domain in DOMAINS:
        masks = part_masks(people(2), domain, 32)
        assert tuple(masks) == PARTS
        assert all(m.shape == (2, 32, 32) and m.min() >= 0 and m.max() <= 1 for m in masks.values()), domain


def test_masks_show_what_the_factors_say():
    factors = torch.full((2, NUM_FACTORS), 0.5)
    columns = indices(("glasses", "hair_length", "beard"))
    factors[0, columns], factors[1, columns] = 0.0, 0.95
    areas = {name: mask.mean(dim=(1, 2)) for name, mask in part_masks(factors, "photo", 64).items()}
    for name in ("glasses", "hair_front", "hair_back", "beard"):
        assert areas[name][0] == 0 and areas[name][1] > 0.005, name
    assert all((areas[name] > 0).all() for name in ("head", "eye", "iris", "brow", "lip", "nostril", "neck", "clothes"))


def test_circumstance_leaves_the_identity_alone():
    factors = people(4)
    other = factors.clone()
    other[:, indices(CIRCUMSTANCE)] = people(4, seed=9)[:, indices(CIRCUMSTANCE)]
    assert torch.equal(identity(factors), identity(other))
    assert identity(factors).shape == (4, len(IDENTITY))


def test_there_are_forty_kinds_and_all_of_them_occur():
    found = kinds(people(4000))
    assert NUM_KINDS == 40 and found.dtype == torch.int64
    assert sorted(found.unique().tolist()) == list(range(40))


def test_a_kind_changes_with_each_of_its_four_factors_and_with_no_other():
    factors = torch.full((NUM_FACTORS, NUM_FACTORS), 0.3)
    changed = factors + torch.eye(NUM_FACTORS) * 0.65
    moved = (kinds(factors) != kinds(changed)).nonzero().flatten().tolist()
    assert moved == sorted(indices(("hair_color", "age", "femininity", "glasses")))


def test_W1_in_small_dlib_finds_our_faces_and_their_landmarks():
    factors = people(12, seed=8)
    columns = indices(("yaw", "pitch"))
    factors[:, columns] = 0.45 + 0.1 * factors[:, columns]
    truth = landmarks(factors, "photo", 256)
    faces = [find_face(image) for image in render(factors, "photo", 256)]
    errors = [float(landmark_error(face.landmarks, t)) for face, t in zip(faces, truth) if face is not None]
    assert len(errors) >= 0.8 * len(factors)
    assert median(errors) < 0.08


def test_no_portraits_have_no_landmarks_and_no_masks():
    nobody = torch.zeros(0, NUM_FACTORS)
    assert landmarks(nobody, "photo", 64).shape == (0, 68, 2)
    assert part_masks(nobody, "photo", 64)["eye"].shape == (0, 64, 64)


def test_an_unknown_domain_or_size_is_refused():
    with pytest.raises(UserError, match="the nearest known: statue"):
        landmarks(people(1), "statu", 64)
    with pytest.raises(UserError, match="multiple of 4"):
        part_masks(people(1), "photo", 63)
