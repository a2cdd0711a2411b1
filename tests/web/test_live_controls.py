"""The controls: one definition, checked edits, the frames and the panel that come from it."""

import json
from dataclasses import fields, replace

import pytest

from iplkit.edit.edits import Edit, Known, Move, to_record
from iplkit.errors import UserError
from iplkit.web.controls import Controls, Range


@pytest.fixture
def known():
    return Known(10, "generator", {"generator": "a" * 64, "ipl-x": "b" * 64}, ("age", "yaw"), {"people": 60})


@pytest.fixture
def controls(known):
    return Controls(known, {"ipl-x": "x (IPL)"})


def knobs(controls, kind):
    return {knob.name: knob.label for group in controls.panel for knob in group.knobs if knob.kind == kind}


def test_the_places_are_the_groups_and_then_every_row(controls):
    assert list(controls.places) == ["coarse", "middle", "fine", *(f"row {r}" for r in range(10))]
    assert controls.places["fine"] == [8, 9] and controls.places["row 3"] == [3]
    assert knobs(controls, "place") == {"coarse": "coarse 0–3", "middle": "middle 4–7", "fine": "fine 8–9"} | {f"row {r}": f"row {r}" for r in range(10)}


def test_every_number_of_an_edit_has_a_slider_and_every_slider_a_number(controls):
    assert set(knobs(controls, "number")) == {f.name for f in fields(Edit)} - {"domain", "moves"}
    assert set(knobs(controls, "choice")) == {"domain", "direction"}


def test_the_start_moves_nothing(controls):
    assert controls.start() == Edit(52, 0.8, 61, 10, "", 1, ())


def test_what_the_sliders_show_becomes_moves_and_comes_back(controls):
    offsets = {"yaw": {"fine": 1.5, "row 2": -0.5}, "age": {"coarse": 0.3}}
    moves = controls.moves(offsets | {"age": {"coarse": 0.3, "middle": 0}})
    assert moves == (Move("yaw", (8, 9), 1.5), Move("yaw", (2,), -0.5), Move("age", (0, 1, 2, 3), 0.3))
    assert controls.offsets(replace(controls.start(), moves=moves)) == offsets


def test_rows_that_no_group_has_are_shown_row_by_row_and_add_up(controls):
    moves = (Move("yaw", (2, 3), 0.5), Move("yaw", (3,), 1.0))
    assert controls.offsets(replace(controls.start(), moves=moves)) == {"yaw": {"row 2": 0.5, "row 3": 1.5}}


def test_what_the_page_reads_is_json_and_names_everything(controls):
    record = json.loads(json.dumps(controls.asdict()))
    assert record["directions"] == ["age", "yaw"] and record["domains"] == {"ipl-x": "x (IPL)"}
    assert record["ranges"]["crossover"] == {"low": 0, "high": 10, "step": 1, "start": 10}
    assert [group["title"] for group in record["panel"]] == [group.title for group in controls.panel]
    assert record["models"]["ipl-x"] == {"name": "ipl-x", "sha256": "b" * 16}


def test_the_strip_begins_with_the_start_and_shows_every_number_domain_and_direction(controls):
    strip = controls.strip()
    assert next(iter(strip.values()))[0][1] == controls.start()
    assert list(strip) == ["seed", "truncation ψ", "from row", "x (IPL)", "age", "yaw"]
    assert strip["x (IPL)"][1] == ("share 0.5", replace(controls.start(), domain="ipl-x", share=0.5))
    assert strip["yaw"][0] == ("coarse rows −2", replace(controls.start(), moves=(Move("yaw", (0, 1, 2, 3), -2),)))
    assert strip["yaw"][1][1] == controls.start()


def test_an_added_direction_domain_or_group_of_rows_shows_in_panel_and_strip(controls, known):
    models, names = {**known.models, "nada-y": "c" * 64}, (*known.directions, "smile")
    added = Controls(replace(known, models=models, directions=names), {"nada-y": "y"}, more_groups={"eyes": (2, 3, 5)})
    assert knobs(added, "place")["eyes"] == "eyes 2, 3, 5" and "eyes" not in knobs(controls, "place")
    assert added.domains["nada-y"] == "y" and {"y", "smile"} <= set(added.strip())
    assert "eyes rows +2" in [label for label, _ in added.strip()["smile"]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"psi": 7}, "psi must lie in 0 to 1.2; got 7"),
        ({"seed": 1000}, "seed must lie in 0 to 255; got 1000"),
        ({"second": 2.5}, "second needs a whole number; got 2.5"),
        ({"moves": (Move("age", (0, 1, 2, 3), 9),)}, "age at coarse must lie in -2 to 2; got 9"),
        ({"domain": "ipl-x", "share": 1.5}, "share must lie in 0 to 1; got 1.5"),
    ],
)
def test_an_edit_beyond_the_sliders_is_refused(controls, known, change, sentence):
    with pytest.raises(UserError, match=sentence):
        controls.read(to_record(replace(controls.start(), **change), known))


def test_an_edit_inside_the_sliders_comes_back(controls, known):
    edit = replace(controls.start(), domain="ipl-x", share=0.25, moves=(Move("age", (4, 5, 6, 7), 0.5),))
    assert controls.read(json.loads(json.dumps(to_record(edit, known)))) == edit


def test_controls_without_a_direction_and_groups_of_rows_that_are_not_there_are_refused(known):
    with pytest.raises(UserError, match="at least one direction"):
        Controls(replace(known, directions=()))
    with pytest.raises(UserError, match="a row of eyes must lie in 0 to 9; got 12"):
        Controls(known, more_groups={"eyes": (12,)})


def test_a_range_holds_its_ends():
    assert Range(0, 1, 0.5, 0).hold("x", 1) == 1
