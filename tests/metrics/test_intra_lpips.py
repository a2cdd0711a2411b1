import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.distances import squared_distances
from iplkit.metrics.intra_lpips import distance_to_medoids, intra_lpips_medoids, intra_lpips_nearest


def square(x):
    return squared_distances(x, x)


def test_both_numbers_fall_with_a_collapse_and_are_zero_for_one_image():
    x, centers = normal(0, 80, 6), normal(1, 4, 6)
    wide = intra_lpips_nearest(square(x), squared_distances(x, centers)), intra_lpips_medoids(square(x), 4)
    close = intra_lpips_nearest(square(x * 0.1), squared_distances(x * 0.1, centers * 0.1)), intra_lpips_medoids(square(x * 0.1), 4)
    for before, after in zip(wide, close):
        assert after.value == pytest.approx(0.01 * before.value)
    assert intra_lpips_medoids(torch.zeros(12, 12), 3).value == 0


def test_pairs_are_farther_apart_than_from_their_medoid():
    x = normal(0, 400, 20)
    medoids = intra_lpips_medoids(square(x), 1)
    pairs = intra_lpips_nearest(square(x), torch.zeros(400, 1), members=None)
    assert 1.3 < pairs.value / medoids.value < 2.1 and pairs.name != medoids.name


def test_members_are_drawn_by_the_seed():
    x = normal(0, 60, 5)

    def found(seed):
        return intra_lpips_nearest(square(x), torch.zeros(60, 1), members=20, seed=seed).value

    assert found(1) == found(1) != found(2)
    assert intra_lpips_nearest(square(x), torch.zeros(60, 1), members=20).settings["sizes"] == [60]


def test_a_cluster_without_a_pair_is_left_out():
    x = torch.tensor([[0.0], [1.0], [10.0]])
    score = intra_lpips_nearest(square(x), squared_distances(x, torch.tensor([[0.0], [10.0], [50.0]])))
    assert score.value == 1 and score.settings["sizes"] == [2, 1, 0] and score.settings["per_cluster"] == [1.0, None, None]


def test_the_mean_over_images_weighs_clusters_by_their_size():
    x = torch.tensor([[0.0], [1.0], [-1.0], [1.0], [10.0], [14.0]])
    score = distance_to_medoids(square(x), torch.tensor([0, 4]))
    assert score.value == pytest.approx((3 / 4 + 16 / 2) / 2) and score.settings["all"] == pytest.approx(19 / 6)


def test_a_medoid_stays_in_its_cluster_although_it_has_a_copy():
    score = distance_to_medoids(torch.zeros(4, 4), torch.tensor([1, 3]))
    assert score.settings["sizes"] == [3, 1] and score.value == 0


def test_too_few_images_and_broken_distances_are_refused():
    with pytest.raises(UserError, match="more than 10 images; got 8; use a smaller k or more images"):
        intra_lpips_medoids(square(normal(0, 8, 2)))
    with pytest.raises(UserError, match=r"sizes are \[1, 1\]; use more images"):
        intra_lpips_nearest(torch.zeros(2, 2), torch.eye(2))
    with pytest.raises(UserError, match="square matrix of finite"):
        intra_lpips_medoids(torch.full((20, 20), float("nan")))
    with pytest.raises(UserError, match=r"\[3, K\] to K training images; got \(2, 2\)"):
        intra_lpips_nearest(torch.zeros(3, 3), torch.eye(2))
