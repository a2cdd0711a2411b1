"""The picture of an edit: truncation, mixing by rows, moves that add up, and generators that blend."""

import pytest
import torch
from small_models import small_generator
from torch.testing import assert_close

from iplkit.edit.draw import blended, draw, edited_ws
from iplkit.edit.edits import Edit, Move
from iplkit.errors import UserError
from iplkit.latents import mix, truncate

EXACT = {"rtol": 0, "atol": 0}


@pytest.fixture
def codes(generator):
    """Two people, the middle and two directions."""
    one, two, w_avg, age, yaw = torch.randn(5, 8, generator=generator)
    return {"num_ws": 10, "one": one, "two": two, "w_avg": w_avg, "directions": {"age": age, "yaw": yaw}}


def edit(**changes) -> Edit:
    return Edit(**{"seed": 1, "psi": 1.0, "second": 2, "crossover": 10} | changes)


def test_truncation_zero_is_the_middle_for_every_seed(codes):
    assert_close(edited_ws(edit(psi=0.0), **codes), codes["w_avg"].expand(1, 10, -1), **EXACT)


def test_the_second_person_fills_the_rows_from_the_crossover_on(codes):
    whole = [truncate(codes[name], codes["w_avg"], 0.7).expand(1, 10, -1) for name in ("one", "two")]
    assert_close(edited_ws(edit(psi=0.7, crossover=4), **codes), mix(*whole, 4), **EXACT)


def test_moves_of_a_group_and_of_one_of_its_rows_add_up(codes):
    before = edited_ws(edit(), **codes)
    after = edited_ws(edit(moves=(Move("yaw", (8, 9), 1.5), Move("yaw", (9,), -0.5))), **codes)
    moved = (after - before)[0]
    assert_close(moved[8], 1.5 * codes["directions"]["yaw"])
    assert_close(moved[9], 1.0 * codes["directions"]["yaw"])
    assert not moved[:8].any()


@pytest.fixture(scope="module")
def two():
    """A small generator and another one of its form."""
    source, other = small_generator(), small_generator()
    with torch.no_grad():
        for value in other.synthesis.parameters():
            value.mul_(0.5)
    return source, other


def test_a_blend_goes_from_the_source_to_the_adapted_generator(two):
    source, other = two
    for share, end in ((0, source), (1, other)):
        for name, value in blended(source.synthesis, other.synthesis, share).items():
            assert_close(value, end.synthesis.state_dict()[name])


def test_share_zero_draws_with_the_source_and_share_one_with_the_adapted_generator(two):
    source, other = two
    setting = edit(crossover=source.num_ws)
    plain = draw(setting, source, {}, {})
    assert torch.equal(draw(edit(crossover=source.num_ws, domain="x", share=0), source, {}, {"x": other}), plain)
    adapted = draw(edit(crossover=source.num_ws, domain="x", share=1), source, {}, {"x": other})
    ws = edited_ws(setting, source.num_ws, *source.mapping.w(z_of(source)), source.mapping.w_avg, {})
    assert_close(adapted, other.synthesis(ws, noise_mode="const"))
    assert not torch.equal(adapted, plain)


def z_of(source):
    from iplkit.latents import z_from_seeds

    return z_from_seeds([1, 2], source.config.z_dim)


@pytest.mark.parametrize(("changes", "sentence"), [({"domain": "x"}, "draws with x; given are none"), ({"moves": (Move("hat", (0,), 1),)}, "moves along hat; given are none")])
def test_what_is_not_given_cannot_be_drawn_with(two, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        draw(edit(crossover=two[0].num_ws, **changes), two[0], {}, {})
