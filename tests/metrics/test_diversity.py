import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.diversity import neighbor_radius, precision_recall


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
