"""How the studies of text edits choose a step, and what they call met."""

import torch

from iplkit.edit.studies.bench import BASE, HELD, PROMPTS, TOLD, Bench
from iplkit.edit.studies.by_text import moves, room, step_of
from iplkit.edit.statistics import style_statistics
from iplkit.world.factors import NAMES, index

HAPPY = next(p for p in PROMPTS if p.name == "happy")
SAD = next(p for p in PROMPTS if p.name == "sad")


def moved(**by) -> torch.Tensor:
    rows = torch.zeros(4, len(NAMES))
    for name, value in by.items():
        rows[:, index(name)] = value
    return rows


def test_the_people_of_steps_of_choices_and_of_judgement_are_three_sets():
    assert len({BASE, HELD, TOLD}) == 3


def test_a_move_counts_in_the_direction_that_was_asked_and_the_others_by_their_size():
    change = moved(smile=-0.3, age=-0.1, brow=0.05)
    assert moves(SAD, change)["asked"] == -moves(HAPPY, change)["asked"] > 0
    assert moves(SAD, change)["other"] == "age"


def test_a_factor_that_no_fit_knows_is_left_out():
    assert moves(HAPPY, moved(smile=0.3, lips=0.9, nose=0.1))["other"] == "nose"


def test_there_is_room_exactly_inside_the_bar():
    assert room({"asked": 0.26, "most": 0.12}, 1.0) > 1
    assert room({"asked": 0.24, "most": 0.01}, 1.0) < 1
    assert room({"asked": 0.4, "most": 0.21}, 1.0) < 1
    assert room({"asked": 0.4, "most": 0.01}, 0.9) < 0


def test_each_way_gives_a_step_of_length_one_that_spares_torgb_and_takes_as_many_channels_as_asked():
    bench = Bench(2, base=2)
    bench.statistics = style_statistics(bench.model("generator"), 200)
    std, convolutions = bench.statistics.std, bench.eye.space.convolutions
    for way, size, channels in (("relevance", 20, 20), ("others held", 20, 20), ("least change", 1.0, 824)):
        delta = step_of(bench, HAPPY, way, size)
        assert abs(float((delta / std.clamp_min(1e-12)).norm()) - 1) < 1e-4
        assert int((delta != 0).sum()) == channels
        assert not delta[[k for k in range(len(delta)) if k not in set(convolutions.tolist())]].any()
