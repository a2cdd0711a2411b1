import pytest
import torch

from iplkit.errors import UserError
from iplkit.world.factors import (
    CIRCUMSTANCE,
    FACTORS,
    IDENTITY,
    NAMES,
    NUM_FACTORS,
    check_factors,
    column,
    from_uniform,
    index,
    indices,
    sample_factors,
)


def test_every_factor_is_identity_or_circumstance_and_has_its_own_name():
    assert len(set(NAMES)) == NUM_FACTORS == len(FACTORS) == 25
    assert sorted(IDENTITY + CIRCUMSTANCE) == sorted(NAMES)
    assert all(f.meaning and f.low and f.high for f in FACTORS)


def test_a_column_is_found_by_its_name():
    factors = torch.arange(2.0 * NUM_FACTORS).view(2, NUM_FACTORS)
    assert column(factors, "yaw").tolist() == [index("yaw"), NUM_FACTORS + index("yaw")]
    assert indices(("beard", "skin_tone")) == [index("beard"), 0]


def test_an_unknown_factor_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="a factor is one of skin_tone, .*, clothes; got 'hat'"):
        index("hat")


def test_the_same_seed_draws_the_same_people():
    first, second = (sample_factors(5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, sample_factors(5, torch.Generator().manual_seed(4)))


def test_drawn_factors_fill_their_range_and_never_leave_it():
    factors = sample_factors(4000, torch.Generator().manual_seed(0))
    check_factors(factors)
    assert (factors.amin(0) < 0.05).all() and (factors.amax(0) > 0.95).all()


def test_from_uniform_increases_in_each_number_of_its_own():
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(64, NUM_FACTORS, generator=generator).clamp(0.05, 0.9)
    for name in NAMES:
        more = u.clone()
        more[:, index(name)] += 0.05
        assert (column(from_uniform(more), name) > column(from_uniform(u), name)).all(), name


def test_most_women_and_children_wear_no_beard():
    factors = sample_factors(4000, torch.Generator().manual_seed(0))
    shown = column(factors, "beard") > 0.5
    men = (column(factors, "femininity") < 0.4) & (column(factors, "age") > 0.4)
    others = (column(factors, "femininity") > 0.6) | (column(factors, "age") < 0.2)
    assert shown[men].float().mean() > 0.4 and shown[others].float().mean() < 0.01


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        (torch.zeros(3, 7), r"shape \[N, 25\]; got \(3, 7\)"),
        (torch.zeros(25), r"shape \[N, 25\]; got \(25,\)"),
        (torch.full((1, 25), 1.2), r"lie in \[0, 1\]; got values from 1.2 to 1.2"),
        (torch.full((1, 25), -0.5), r"lie in \[0, 1\]; got values from -0.5"),
        (torch.full((1, 25), float("nan")), r"lie in \[0, 1\]; got values from nan"),
    ],
)
def test_factors_of_another_shape_or_range_are_refused(factors, sentence):
    with pytest.raises(UserError, match=sentence):
        check_factors(factors)


def test_checking_factors_that_want_a_gradient_warns_of_nothing():
    check_factors(torch.full((1, NUM_FACTORS), 0.5, requires_grad=True))
