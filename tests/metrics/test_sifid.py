import pytest
import torch
from goldens import hash_uniform

from iplkit.errors import UserError
from iplkit.metrics.frechet import fid
from iplkit.metrics.sifid import map_moments, sifid64, sifid192, sifid_pairs, sifid_score


def maps(seed, *shape):
    return hash_uniform(seed, *shape).float() ** 2


def rows(one):
    return one.flatten(1).T


def test_each_pair_is_the_frechet_distance_of_their_positions():
    references, generated = maps(1, 2, 6, 9, 8), maps(2, 3, 6, 9, 8) * 1.3
    pairs = sifid_pairs(map_moments(references), map_moments(generated))
    want = [[fid(rows(a), rows(b)).value for b in generated] for a in references]
    torch.testing.assert_close(pairs, torch.tensor(want, dtype=torch.float64), rtol=1e-8, atol=1e-10)


def test_batches_and_chunks_change_nothing():
    reference, generated = map_moments(maps(1, 2, 6, 9, 8)), maps(2, 5, 6, 9, 8)
    whole = sifid_pairs(reference, map_moments(generated), chunk=2)
    parts = torch.cat([sifid_pairs(reference, map_moments(part)) for part in generated.split(3)], dim=1)
    torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-12)


def test_an_image_is_at_zero_from_itself_wherever_its_places_go():
    x = maps(1, 1, 6, 9, 8)
    moved = x.flatten(2).flip(2).view_as(x)
    assert abs(sifid_pairs(map_moments(x), map_moments(moved)).item()) < 1e-6


def test_a_channel_that_is_never_active_does_no_harm():
    references, generated = maps(1, 1, 6, 9, 8), maps(2, 1, 6, 9, 8)
    want = sifid_pairs(map_moments(references), map_moments(generated)).item()
    dead = [torch.cat([x, torch.zeros(1, 2, 9, 8)], dim=1) for x in (references, generated)]
    assert sifid_pairs(map_moments(dead[0]), map_moments(dead[1])).item() == pytest.approx(want, abs=1e-6)


def test_the_score_averages_all_pairs_and_keeps_each_reference():
    score = sifid_score(torch.tensor([[1.0, 3.0], [5.0, 7.0]], dtype=torch.float64))
    assert (score.value, score.settings["per_reference"], score.num_real, score.num_fake) == (4.0, [2.0, 6.0], 2, 2)
    assert score.spread == pytest.approx(1.0)  # of 3 and 5


def test_the_two_variants_take_their_own_layer_only():
    thin, wide = maps(1, 1, 64, 9, 9), maps(1, 1, 192, 15, 14)
    assert sifid64(thin, map_moments(thin)).name == "sifid64" and sifid192(wide, wide).name == "sifid192"
    assert sifid64(thin, thin).settings["positions"] == 81
    with pytest.raises(UserError, match="sifid64 needs maps of 64 channels .*; got 192 and 192"):
        sifid64(wide, wide)


def test_one_vector_per_image_is_refused():
    with pytest.raises(UserError, match="more than 2048 positions; a map has 1; use larger images"):
        map_moments(torch.zeros(2, 2048, 1, 1))


def test_images_of_another_size_and_broken_maps_are_refused():
    with pytest.raises(UserError, match="of one size; got 6 channels at 72 positions and 6 channels at 90 positions"):
        sifid_pairs(map_moments(maps(1, 1, 6, 9, 8)), map_moments(maps(1, 1, 6, 9, 10)))
    with pytest.raises(UserError, match="finite feature maps"):
        map_moments(torch.full((1, 2, 3, 3), float("nan")))
    with pytest.raises(UserError, match=r"\[N, C, h, w\]; got \(6, 9, 8\)"):
        map_moments(torch.zeros(6, 9, 8))
    with pytest.raises(UserError, match="at least one pair"):
        sifid_score(torch.zeros(0, 3))
