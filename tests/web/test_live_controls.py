"""The controls: one definition, checked edits, and the W+ code that a setting means."""

import json

import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.latents import mix, truncate
from iplkit.web.controls import Controls, Edit, Range, edited_ws

EXACT = {"rtol": 0, "atol": 0}


@pytest.fixture
def known():
    return Controls(10, ("age", "yaw"), {"ipl-x": "x"})


@pytest.fixture
def table(generator):
    return torch.randn(256, 8, generator=generator), torch.randn(8, generator=generator), torch.randn(2, 8, generator=generator)


def edit(**changes) -> Edit:
    return Edit(**{"seed": 1, "psi": 1.0, "second": 2, "crossover": 10, "domain": "", "share": 1, "offsets": {}} | changes)


def test_the_places_are_the_groups_and_then_every_row(known):
    assert list(known.places) == ["coarse", "middle", "fine", *(f"row {r}" for r in range(10))]
    assert known.places["fine"] == [8, 9] and known.places["row 3"] == [3]


def test_the_start_moves_nothing(known, table):
    w, w_avg, directions = table
    ws = edited_ws(known.start(), known, w, w_avg, directions)
    assert_close(ws, truncate(w[52], w_avg, 0.8).expand(1, 10, -1), **EXACT)


def test_truncation_zero_is_the_middle_for_every_seed(known, table):
    w, w_avg, directions = table
    assert_close(edited_ws(edit(psi=0.0), known, w, w_avg, directions), w_avg.expand(1, 10, -1), **EXACT)


def test_the_second_person_fills_the_rows_from_the_crossover_on(known, table):
    w, w_avg, directions = table
    ws = edited_ws(edit(crossover=4), known, w, w_avg, directions)
    whole = [truncate(w[s], w_avg, 1.0).expand(1, 10, -1) for s in (1, 2)]
    assert_close(ws, mix(*whole, 4), **EXACT)


def test_offsets_of_a_group_and_of_one_of_its_rows_add_up(known, table):
    w, w_avg, directions = table
    before = edited_ws(edit(), known, w, w_avg, directions)
    after = edited_ws(edit(offsets={"yaw": {"fine": 1.5, "row 9": -0.5}}), known, w, w_avg, directions)
    moved = (after - before)[0]
    assert_close(moved[8], 1.5 * directions[1])
    assert_close(moved[9], 1.0 * directions[1])
    assert not moved[:8].any()


def test_a_saved_edit_comes_back_through_json(known):
    saved = edit(offsets={"age": {"coarse": 0.5}}, domain="ipl-x", share=0.25)
    assert known.read(json.loads(json.dumps(saved.asdict()))) == saved


def test_what_the_page_reads_can_be_json_and_names_everything(known):
    record = json.loads(json.dumps(known.asdict()))
    assert record["directions"] == ["age", "yaw"] and record["domains"] == {"ipl-x": "x"}
    assert record["ranges"]["crossover"] == {"low": 0, "high": 10, "step": 1, "start": 10}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "cake"}, 'needs the line "kind"'),
        ({"psi": 7}, "psi must lie in 0 to 1.2; got 7"),
        ({"seed": "52"}, "seed must lie in 0 to 255; got '52'"),
        ({"domain": "moon"}, "domain must be one of ipl-x or empty; got 'moon'"),
        ({"offsets": {"hat": {}}}, "one of age, yaw; got 'hat'"),
        ({"offsets": {"age": {"row 99": 1}}}, "a place is one of coarse.*got 'row 99'"),
        ({"offsets": {"age": {"coarse": 9}}}, "age at coarse must lie in -2 to 2; got 9"),
        ({"offsets": [1]}, "offsets need direction -> place -> strength"),
        ({"crossover": 2.5}, "crossover needs a whole number; got 2.5"),
    ],
)
def test_an_edit_that_the_controls_cannot_show_is_refused(known, change, sentence):
    with pytest.raises(UserError, match=sentence):
        known.read(edit().asdict() | change)


def test_controls_without_a_direction_are_refused():
    with pytest.raises(UserError, match="at least one direction"):
        Controls(10, ())


def test_a_range_holds_its_ends():
    assert Range(0, 1, 0.5, 0).hold("x", 1) == 1
