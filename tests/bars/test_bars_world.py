import pytest
import torch

from iplkit.bars import world
from iplkit.bars.sets import Scale
from iplkit.world.factors import column


def test_frontal_people_look_ahead_and_differ():
    factors = world.frontal_people(Scale(), 50)
    for name in ("yaw", "pitch"):
        values = column(factors, name)
        assert 0.45 <= values.min() < values.max() <= 0.55


def test_a_stranger_is_asked_about_each_render(scale):
    found, error = world.w1(scale)
    assert found.n == scale.frontal and found.asked == ">= 0.9"
    assert error.n == round(found.value * found.n)


def test_size_gap_of_one_domain_is_in_255ths(scale):
    big = Scale(paired=2)
    assert 0 < world.size_gap(big, "photo") < 40


def test_the_speed_is_a_positive_rate():
    assert world.photo_rate(n=4, size=32, batch=2, rounds=1) > 0


@pytest.mark.parametrize("domain", ["photo"])
def test_w3_names_the_worst_domain(monkeypatch, scale, domain):
    monkeypatch.setattr(world, "size_gap", lambda scale, d: 5.0 if d == domain else 1.0)
    first = world.w3(scale)[0]
    assert (first.value, first.note, first.met) == (5.0, domain, False)


def test_the_interval_of_a_median_holds_the_true_one_in_95_of_100():
    draws = torch.rand(300, 101, generator=torch.Generator().manual_seed(0)).tolist()
    rows = [world.median_row("W1", "x", values, "", "") for values in draws]
    inside = sum(row.low <= 0.5 <= row.high for row in rows)
    assert 270 <= inside <= 297  # 285 expected


def test_no_face_at_all_fails_the_landmark_bar():
    assert world.median_row("W1", "x", [], "<= 0.08", "").met is False
