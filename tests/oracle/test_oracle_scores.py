import pytest
import torch

from iplkit.errors import UserError
from iplkit.images import to_uint8
from iplkit.oracle.reader import Reader
from iplkit.oracle.scores import SCORES, Oracle, OracleSettings, oracle_scores
from iplkit.world.factors import index
from iplkit.world.fit import FitSettings
from iplkit.world.render import render

QUICK = OracleSettings(fit=FitSettings(size=32, steps=0), renders=12, rounds=10)


@pytest.fixture
def oracle(photos, knowing, judge):
    return Oracle(photos, knowing, judge, head_only=True, settings=QUICK)


def test_a_perfect_adaptation_scores_as_true_renders_do(oracle, people):
    found = oracle.scores(render(people, "sketch", 32, seed=300), "sketch")
    assert tuple(found) == SCORES
    for name in ("identity kept", "circumstance kept", "structure kept", "factor error", "diversity"):
        assert found[name].value == pytest.approx(found[name].settings["true renders"], abs=0.1), name
    assert found["identity kept"].value > 0.9 and found["factor error"].value < 0.06
    assert found["target FID"].value < 0.5 * found["target FID"].settings["source"]
    assert found["pixel distance"].settings["of random"] < 0.8


def test_people_exchanged_among_themselves_are_not_kept_though_the_set_is_the_same(oracle, people):
    pictures = render(people, "sketch", 32, seed=300)
    right, wrong = (oracle.scores(x, "sketch") for x in (pictures, pictures.roll(1, 0)))
    assert wrong["target FID"].value == pytest.approx(right["target FID"].value, rel=1e-3), "FID cannot see it"
    assert wrong["diversity"].value == pytest.approx(right["diversity"].value, abs=0.05)
    for name in ("identity kept", "circumstance kept", "structure kept"):
        assert wrong[name].value < right[name].value - 0.2, name
    assert wrong["pixel distance"].value > right["pixel distance"].value


def test_one_person_for_all_has_no_diversity_and_keeps_nobody(oracle, people, knowing):
    one = render(people[:1].expand(16, -1), "sketch", 32, seed=300)
    knowing.teach(one, people[:1].expand(16, -1))
    found = oracle.scores(one, "sketch")
    assert found["diversity"].value < 0.4
    assert abs(found["identity kept"].value) < 0.3


def test_every_score_carries_the_error_of_its_reading(oracle, people):
    found = oracle.scores(render(people, "sketch", 32, seed=300), "sketch")
    for name in SCORES[1:]:
        score = found[name]
        assert score.settings["reading"]["error"]["sketch"]["yaw"]["r2"] > 0.9, name
        assert score.settings["reading"]["left out"] == {"photo": [], "sketch": []}
        assert score.interval[0] <= score.value <= score.interval[1]
        assert "head alone" in score.protocol
    assert "Wilson" in found["domain reached"].protocol


def test_a_factor_that_cannot_be_read_is_left_out_and_named(photos, people, knowing, judge):
    def blind(images):
        out = knowing(images).clone()
        out[:, index("yaw")] = 0.5
        return out

    found = oracle_scores(photos, render(people, "sketch", 32, seed=300), "sketch", blind, judge, head_only=True, settings=QUICK)
    assert found["circumstance kept"].settings["reading"]["left out"]["sketch"] == ["yaw"]
    assert "yaw" not in found["circumstance kept"].settings["factors"]
    assert "yaw" not in found["diversity"].settings["by factor"]


def test_a_head_that_knows_nothing_gives_no_number_for_people(photos, people, judge):
    half = lambda images: torch.full((len(images), people.shape[1]), 0.5)  # noqa: E731
    found = oracle_scores(photos, render(people, "sketch", 32), "sketch", half, judge, head_only=True, settings=QUICK)
    assert found["identity kept"].value != found["identity kept"].value, "nan, not 0"
    assert found["structure kept"].value != found["structure kept"].value
    assert 0 <= found["domain reached"].value <= 1, "the judge needs no factors"


def test_the_gradient_route_reads_better_than_the_head_it_starts_from(people):
    noisy = lambda images: (people[:3] + shake).clamp(0, 1)  # noqa: E731
    shake = 0.1 * torch.randn(3, people.shape[1], generator=torch.Generator().manual_seed(3))
    images = render(people[:3], "photo", 32, seed=9)
    head = Reader(noisy, head_only=True, size=32)(images, "photo")
    fit = Reader(noisy, fit=FitSettings(steps=6), size=32)(images, "photo")
    assert (fit.factors - people[:3]).abs().mean() < (head.factors - people[:3]).abs().mean()
    assert fit.residual < head.residual


def test_bytes_and_floats_get_the_same_scores(photos, people, knowing, judge):
    sketches = render(people, "sketch", 32, seed=300)
    found = [
        oracle_scores(a, b, "sketch", knowing, judge, head_only=True, settings=QUICK)
        for a, b in ((photos, sketches), (to_uint8(photos), to_uint8(sketches)))
    ]
    assert {k: v.value for k, v in found[0].items()} == {k: v.value for k, v in found[1].items()}


def test_unpaired_sets_few_pictures_and_unknown_domains_are_refused(oracle, photos, knowing, judge):
    with pytest.raises(UserError, match="one adapted picture for each of 16"):
        oracle.scores(photos[:9], "sketch")
    with pytest.raises(UserError, match="at least 8 pictures"):
        Oracle(photos[:7], knowing, judge, head_only=True)
    with pytest.raises(UserError, match="oil"):
        oracle.scores(photos, "oil")
    with pytest.raises(UserError, match="at least 8 renders"):
        Reader(knowing, renders=3)
    with pytest.raises(UserError, match="the head must give factors"):
        Oracle(photos, lambda images: images.mean((1, 2, 3)), judge, head_only=True)
