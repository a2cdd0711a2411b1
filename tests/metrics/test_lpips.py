import pytest
import torch
import torch.nn.functional as F
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.distances import blockwise_distances, squared_distances
from iplkit.metrics.lpips import lpips_distance, lpips_embedding, unit_channels

CHANNELS = (5, 7)


@pytest.fixture
def trunk(generator):
    """A random network of two layers, and heads without a negative weight."""
    kernels = [torch.randn(o, i, 3, 3, generator=generator) / 3 for i, o in zip((3, *CHANNELS), CHANNELS)]
    weights = [torch.rand(c, generator=generator) for c in CHANNELS]

    def features(images):
        first = F.conv2d(images, kernels[0]).relu()
        return [first, F.conv2d(F.max_pool2d(first, 2), kernels[1]).relu()]

    return features, weights


def by_definition(a, b, weights, convention):
    """Eq. (1), one layer and one pair at a time."""
    total = 0
    for x, y, w in zip(a, b, weights):
        step = unit_channels(x[None].double(), convention) - unit_channels(y[None].double(), convention)
        total += (w.double().view(1, -1, 1, 1) * step.square()).sum(dim=1).mean().item()
    return total


@pytest.mark.parametrize("convention", ["lpips", "torchmetrics"])
def test_squared_distances_of_embeddings_are_lpips(trunk, convention):
    features, weights = trunk
    found = features(normal(0, 6, 3, 20, 18).float())
    places = lpips_embedding(found, weights, convention)
    pairs = squared_distances(places, places)
    for i, j in ((0, 1), (2, 5), (3, 4)):
        want = by_definition([f[i] for f in found], [f[j] for f in found], weights, convention)
        assert pairs[i, j].item() == pytest.approx(want, rel=1e-6)
        assert lpips_distance(places[i : i + 1], places[j : j + 1]).item() == pytest.approx(want, rel=1e-6)


def test_an_image_is_at_zero_from_itself_and_distances_are_symmetric(trunk):
    features, weights = trunk
    places = lpips_embedding(features(normal(0, 4, 3, 20, 18).float()), weights)
    pairs = squared_distances(places, places)
    assert float(pairs.diagonal().max()) < 1e-12
    torch.testing.assert_close(pairs, pairs.T)


def test_the_normalization_of_torchmetrics_is_its_own():
    reference = pytest.importorskip("torchmetrics.functional.image.lpips")
    x = normal(0, 2, 5, 3, 3) * 1e-4
    torch.testing.assert_close(unit_channels(x, "torchmetrics"), reference._normalize_tensor(x))
    assert not torch.allclose(unit_channels(x, "torchmetrics"), unit_channels(x, "lpips"))
    assert bool((unit_channels(torch.zeros(1, 5, 2, 2)) == 0).all())


def test_the_whole_distance_agrees_with_torchmetrics(trunk):
    reference = pytest.importorskip("torchmetrics.functional.image.lpips")
    features, weights = trunk
    a, b = (features(normal(seed, 3, 3, 20, 18).float()) for seed in (0, 1))
    want = 0
    for x, y, w in zip(a, b, weights):
        squares = (reference._normalize_tensor(x) - reference._normalize_tensor(y)) ** 2
        want = want + reference._spatial_average(F.conv2d(squares, w.view(1, -1, 1, 1))).flatten()
    got = lpips_distance(lpips_embedding(a, weights, "torchmetrics"), lpips_embedding(b, weights, "torchmetrics"))
    torch.testing.assert_close(got.float(), want, rtol=1e-5, atol=1e-7)


def test_blocks_give_the_matrix_of_the_whole(trunk):
    features, weights = trunk
    images = normal(0, 7, 3, 20, 18).float()
    whole = lpips_embedding(features(images), weights)
    blocks = blockwise_distances(lambda start, stop: lpips_embedding(features(images[start:stop]), weights), 7, block=3)
    torch.testing.assert_close(blocks, squared_distances(whole, whole), rtol=1e-5, atol=1e-9)
    assert bool((blocks == blocks.T).all()) and bool((blocks.diagonal() == 0).all())


def test_slices_of_columns_change_nothing_and_a_common_offset_costs_little():
    x, y = normal(0, 6, 50), normal(1, 5, 50)
    want = torch.cdist(x, y).square()
    torch.testing.assert_close(squared_distances(x, y, columns=7), want)
    torch.testing.assert_close(squared_distances(x + 1e6, y + 1e6), want, rtol=1e-6, atol=1e-6)


def test_heads_that_make_no_distance_and_layers_that_do_not_fit_are_refused(trunk):
    features, weights = trunk
    found = features(normal(0, 2, 3, 20, 18).float())
    with pytest.raises(UserError, match="no weight is negative"):
        lpips_embedding(found, [weights[0], -weights[1]])
    with pytest.raises(UserError, match="one weight"):
        lpips_embedding(found, weights[:1])
    with pytest.raises(UserError, match="finite features"):
        lpips_embedding([found[0] * float("nan"), found[1]], weights)
    with pytest.raises(UserError, match="lpips or torchmetrics; got 'piq'"):
        lpips_embedding(found, weights, "piq")
    with pytest.raises(UserError, match=r"two equal sets.*got \(2, 4\) and \(3, 4\)"):
        lpips_distance(torch.zeros(2, 4), torch.zeros(3, 4))
    with pytest.raises(UserError, match=r"got \(2, 4\) and \(3, 5\)"):
        squared_distances(torch.zeros(2, 4), torch.zeros(3, 5))
