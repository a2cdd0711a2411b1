import pytest
import torch
import torch.nn.functional as F
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.identity import calibration, ffhq_crop, identity


def test_the_same_person_scores_one_whatever_the_length_of_the_embedding():
    x = normal(0, 10, 16)
    assert identity(x, x * 7).value == pytest.approx(1, abs=1e-12)
    assert identity(x, -x).value == pytest.approx(-1, abs=1e-12)


def test_rotations_and_the_order_of_pairs_change_nothing():
    a, b = normal(0, 10, 16), normal(0, 10, 16) + normal(1, 10, 16)
    turn = torch.linalg.qr(normal(9, 16, 16)).Q
    for x, y in ((a @ turn, b @ turn), (a.flip(0), b.flip(0)), (b, a)):
        assert identity(x, y).value == pytest.approx(identity(a, b).value, rel=1e-12)


def test_strangers_are_all_pairs_of_different_latents():
    a, b = normal(0, 9, 16), normal(0, 9, 16) + normal(1, 9, 16)
    apart = ~torch.eye(9, dtype=torch.bool)
    found = calibration(a, b)
    for name, (x, y) in {"source_strangers": (a, a), "adapted_strangers": (b, b), "cross_strangers": (a, b)}.items():
        want = F.cosine_similarity(x[:, None], y[None], dim=2)[apart].mean().item()
        assert found[name] == pytest.approx(want, abs=1e-12)
        assert identity(a, b).settings[name] == pytest.approx(want, abs=1e-12)


def test_a_collapse_to_one_face_shows_among_the_strangers():
    source = normal(0, 20, 32)
    face = normal(5, 1, 32).repeat(20, 1)
    score = identity(source, face)
    assert score.settings["adapted_strangers"] == pytest.approx(1, abs=1e-12)
    assert abs(score.value - score.settings["cross_strangers"]) < 0.1


def test_the_crop_takes_the_box_of_the_papers():
    images = torch.zeros(1, 3, 256, 256)
    images[:, :, 35:223, 32:220] = 1
    assert ffhq_crop(images).shape == (1, 3, 112, 112)
    assert bool((ffhq_crop(images) == 1).all())
    images[:, :, 35:223, 32:220] = 0
    images[:, :, 35, 32] = 1
    assert ffhq_crop(images)[0, 0, 0, 0] > 0  # the corner is inside, and stays in the corner


def test_the_crop_of_a_large_image_is_that_of_its_average():
    large = normal(0, 1, 3, 512, 512).float()
    torch.testing.assert_close(ffhq_crop(large), ffhq_crop(F.avg_pool2d(large, 2)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 256, 300), torch.zeros(1, 3, 256, 256, dtype=torch.uint8)])
def test_images_that_the_box_does_not_fit_are_refused(images):
    with pytest.raises(UserError, match="H at least 256; got"):
        ffhq_crop(images)


def test_pairs_that_are_none_are_refused():
    with pytest.raises(UserError, match=r"row by row; got \(4, 8\) and \(5, 8\)"):
        identity(normal(0, 4, 8), normal(0, 5, 8))
    with pytest.raises(UserError, match="all zeros"):
        identity(torch.zeros(3, 8), normal(0, 3, 8))
    with pytest.raises(UserError, match="at least 2 latents; got 1"):
        calibration(normal(0, 1, 8), normal(0, 1, 8))
