import pytest
import torch
from torch.testing import assert_close

from iplkit import zoo
from iplkit.extractors.edges import slope_squared, soft_edges
from iplkit.extractors.lpips import lpips_matrix, lpips_of_pairs
from iplkit.extractors.world import world_extractor
from iplkit.images import from_uint8
from iplkit.nets.judge import LAYERS


@pytest.fixture
def images(generator):
    return torch.randint(0, 256, (3, 3, 64, 64), generator=generator, dtype=torch.uint8)


def step(left, right, side=32):
    image = torch.empty(1, 3, side, side)
    image[..., : side // 2], image[..., side // 2 :] = (torch.tensor(c).view(1, 3, 1, 1) for c in (left, right))
    return image


@pytest.mark.parametrize("name", ["judge", "identity", "edges", "clip"])
def test_every_layer_that_is_named_is_given(name, images):
    extractor = world_extractor(name)
    found = extractor(images)
    assert tuple(found) == extractor.layers
    assert all(len(t) == 3 and t.dtype == torch.float32 and bool(t.isfinite().all()) for t in found.values())


def test_the_hash_of_a_shipped_extractor_is_that_of_its_file():
    assert world_extractor("judge").hash == zoo.hashes()["judge.safetensors"]


def test_the_clip_that_steered_says_so():
    assert world_extractor("clip").protocol["role"] == "training objective"
    assert_close(world_extractor("clip").text(["a photo of a human", "sketch"]).norm(dim=1), torch.ones(2))


def test_squared_distances_of_the_embedding_are_lpips_pair_by_pair(images):
    judge = world_extractor("judge")
    e = judge(images, ["lpips"])["lpips"]
    maps = [judge.net.features(from_uint8(images))[name] for name in LAYERS]
    want = 0
    for x in maps:  # Zhang et al. 2018, Eq. (1), with equal weights
        unit = x / x.norm(dim=1, keepdim=True)
        want += (unit[0] - unit[1]).square().sum(dim=0).mean() / len(maps)
    assert_close((e[0] - e[1]).square().sum(), want, rtol=1e-5, atol=1e-7)


def test_all_pairs_are_the_same_in_blocks_and_at_once(images):
    judge = world_extractor("judge")
    want = lpips_matrix(judge, images)
    assert_close(lpips_matrix(judge, images, budget=1), want, rtol=1e-6, atol=1e-9)
    assert_close(lpips_of_pairs(judge, images, images.roll(1, 0)), want[[0, 1, 2], [2, 0, 1]], rtol=1e-6, atol=1e-9)


def test_a_flat_picture_has_no_edge_and_a_step_has_one_where_it_is():
    assert float(soft_edges(torch.full((1, 3, 16, 16), 0.3)).abs().max()) < 1e-9
    edges = soft_edges(step([-1.0] * 3, [1.0] * 3))[0, 0]
    assert bool((edges[:, 15:17] > 0.95).all()) and bool((edges[:, [0, 5, 26, 31]] < 1e-3).all())


def test_a_step_from_black_to_white_has_slope_one_at_every_scale():
    for scale in (1.0, 2.0):
        assert_close(slope_squared(step([-1.0] * 3, [1.0] * 3), scale).amax(), torch.tensor(1.0))


def test_an_edge_counts_half_at_the_stated_contrast():
    assert_close(soft_edges(step([0.0] * 3, [0.2] * 3))[..., 15].max(), torch.tensor(0.5), rtol=1e-3, atol=0)


def test_two_colors_of_one_lightness_still_meet_at_an_edge():
    assert float(soft_edges(step([0.5, -0.5, 0.0], [-0.5, 0.5, 0.0])).max()) > 0.9


def test_edges_turn_with_the_picture(images):
    x = from_uint8(images)
    assert_close(soft_edges(x.rot90(dims=(2, 3))), soft_edges(x).rot90(dims=(2, 3)), rtol=1e-4, atol=1e-5)
