import math

import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.diversity import neighbor_radius, prdc, precision_recall


@pytest.mark.parametrize("k, precision, recall", [(3, 0.928, 0.6233333333333333), (5, 0.96, 0.7033333333333334)])
def test_agrees_with_the_stored_counts(k, precision, recall):
    got = precision_recall(normal(50, 300, 8), normal(51, 250, 8) * 0.8 + 0.3, k=k)
    assert [score.value for score in got] == [precision, recall]


def test_collapse_keeps_precision_and_loses_recall():
    precision, recall = precision_recall(normal(53, 200, 16) * 3, normal(52, 200, 16) * 0.1, k=3)
    assert (precision.value, recall.value) == (1.0, 0.0)  # swapped arguments would give 0 and 1


def test_the_radius_is_the_kth_neighbor_without_oneself():
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]], dtype=torch.float64)
    torch.testing.assert_close(neighbor_radius(points, 1), torch.tensor([1.0, 1.0, 2.0, 4.0], dtype=torch.float64))
    torch.testing.assert_close(neighbor_radius(points, 2, chunk=3), torch.tensor([3.0, 2.0, 3.0, 6.0], dtype=torch.float64))


def test_chunks_do_not_change_the_values():
    real, fake = normal(50, 300, 8), normal(51, 250, 8) * 0.8 + 0.3
    assert precision_recall(real, fake, chunk=37) == precision_recall(real, fake)


def test_agrees_with_torch_fidelity():
    reference = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = normal(50, 300, 8), normal(51, 250, 8) * 0.8 + 0.3
    want = reference.prc_features_to_metric(fake, real, prc_neighborhood=5, verbose=False)
    precision, recall = precision_recall(real, fake, k=5)
    assert precision.value == pytest.approx(want["precision"]) and recall.value == pytest.approx(want["recall"])


def test_too_few_images_are_counted_in_the_message():
    with pytest.raises(UserError, match="k = 5 neighbors need more than 5 images in each set; got 5 real and 80 fake"):
        precision_recall(normal(0, 5, 3), normal(1, 80, 3))


def by_definition(real, fake, k, inside):
    """Ball by ball and point by point, with no matrix of distances."""
    def radius(points, i):
        return sorted(math.dist(points[i], q) for j, q in enumerate(points) if j != i)[k - 1]

    def holds(center, reach, point):
        distance = math.dist(center, point)
        return distance <= reach if inside else distance < reach

    true_balls = [(p, radius(real, i)) for i, p in enumerate(real)]
    fake_balls = [(p, radius(fake, i)) for i, p in enumerate(fake)]
    return {
        "precision": sum(any(holds(*ball, p) for ball in true_balls) for p in fake) / len(fake),
        "recall": sum(any(holds(*ball, p) for ball in fake_balls) for p in real) / len(real),
        "density": sum(holds(*ball, p) for ball in true_balls for p in fake) / (k * len(fake)),
        "coverage": sum(any(holds(*ball, p) for p in fake) for ball in true_balls) / len(real),
    }


@pytest.mark.parametrize("rim", ["inside", "outside"])
def test_all_four_agree_with_their_definition_ties_included(rim):
    real, fake = (normal(5, 40, 2) * 2).round(), (normal(6, 30, 2) * 2).round()  # whole numbers: many points on rims
    got = {name: score.value for name, score in prdc(real, fake, k=3, rim=rim).items()}
    assert got == pytest.approx(by_definition(real.tolist(), fake.tolist(), 3, rim == "inside"))


def test_agrees_with_prdc():
    reference = pytest.importorskip("prdc")
    real, fake = normal(50, 300, 8), normal(51, 250, 8) * 0.8 + 0.3
    want = reference.compute_prdc(real.numpy(), fake.numpy(), nearest_k=5)
    assert {name: score.value for name, score in prdc(real, fake, k=5, rim="outside").items()} == pytest.approx(want)


def test_a_collapse_shows_in_recall_and_coverage_only():
    found = prdc(normal(53, 200, 16) * 3, normal(52, 200, 16) * 0.1, k=3)
    assert found["recall"].value < 0.05 and found["coverage"].value < 0.5
    assert found["precision"].value > 0.95 and found["density"].value > 1


def test_order_and_rotations_change_nothing():
    real, fake = normal(50, 100, 8), normal(51, 90, 8) * 0.8 + 0.3
    turn = torch.linalg.qr(normal(99, 8, 8)).Q
    want = {name: score.value for name, score in prdc(real, fake).items()}
    for a, b in ((real.flip(0), fake.roll(3, 0)), (real @ turn, fake @ turn)):
        assert {name: score.value for name, score in prdc(a, b).items()} == want


def test_one_law_has_density_and_coverage_near_one():
    found = prdc(normal(0, 500, 4), normal(1, 500, 4))
    assert abs(found["density"].value - 1) < 5 * found["density"].spread
    assert found["coverage"].value > 0.9  # 1 - 2^-5 at k = 5, by Naeem et al.


def test_an_unknown_rim_is_refused():
    with pytest.raises(UserError, match="inside or outside; got 'both'"):
        prdc(normal(0, 9, 2), normal(1, 9, 2), k=2, rim="both")
