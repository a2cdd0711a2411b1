"""One ruler for every cell: what equal generators score, that nothing is left to chance, and what is computed once."""

import math

import pytest
from small_ruler import REACH, new_ruler, random_generator
from torch.testing import assert_close

from iplkit.oracle.scores import SCORES
from iplkit.sweep.ruler import ORACLE, Reach
from iplkit.sweep.summary import BETTER


@pytest.fixture(scope="module")
def unchanged(ruler):
    return ruler.scores(ruler.generator, "sketch")


def test_the_unchanged_generator_keeps_everything(unchanged):
    for name in ("SCS", "ID", "LPIPS ratio"):
        assert unchanged[name] == pytest.approx(1, abs=1e-5), name


def test_a_copy_of_the_source_scores_what_the_source_scores(ruler, unchanged):
    assert ruler.scores(random_generator(), "sketch") == pytest.approx(unchanged, nan_ok=True, rel=1e-5)


def test_another_generator_keeps_less(ruler, unchanged):
    other = ruler.scores(random_generator(seed=1), "sketch")
    assert other["SCS"] < 0.99 and other["FID"] != unchanged["FID"]
    assert set(other) == set(unchanged)


def test_the_scores_are_the_same_every_time(ruler, unchanged):
    again = new_ruler().scores(random_generator(), "sketch")
    assert all(again[name] == value or (math.isnan(value) and math.isnan(again[name])) for name, value in unchanged.items())


def test_true_renders_are_nearer_to_the_truth_than_random_pictures(ruler, unchanged):
    true = ruler.true_scores("sketch")
    assert true["FID"] < unchanged["FID"] and true["oracle target FID"] < unchanged["oracle target FID"]
    assert set(true) < set(unchanged), "the same scores, where they have a meaning"
    assert not {"SCS", "ID"} & set(true), "fresh people have no source picture"


def test_samples_of_one_latent_have_one_noise_in_every_generator(ruler):
    assert_close(ruler.pictures(random_generator()), ruler.source_images, rtol=0, atol=0)
    assert len(ruler.source_images) == REACH.pictures


def test_the_truth_of_a_domain_is_rendered_once(ruler):
    assert ruler.truth("sketch") is ruler.truth("sketch")


def test_every_printed_score_has_a_direction_or_has_none_on_purpose(unchanged):
    assert set(unchanged) - set(BETTER) == {"SCS", "ID"} and set(BETTER) < set(unchanged)
    assert set(ORACLE) == set(SCORES) - {"domain reached"}, "which is the score called"


def test_the_smoke_tier_looks_at_less_and_the_others_at_the_same():
    assert Reach.of("smoke").pictures < Reach.of("laptop").pictures
    assert Reach.of("laptop") == Reach.of("full") == Reach()
