"""Cells and plans: names, what is refused, and reading what is there."""

import json
from pathlib import Path

import pandas as pd
import pytest

from iplkit import paths
from iplkit.errors import UserError
from iplkit.sweep.cells import SOURCE, Cell, cell_folder, cells_path, manifest_path, read_cell, read_cells, read_summaries, read_truths
from iplkit.sweep.plans import PLANS, SIX, TARGETS, choose, plan, plans_at

EVERYTHING = [cell for name in PLANS for cell in PLANS[name]()]


def write(folder: Path, cell: Cell, scores: dict, **more) -> Path:
    record = {"kind": "cell", "method": cell.method, "target": cell.target, "seed": cell.seed, "variant": cell.variant, "scores": scores}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{cell.name}.json").write_text(json.dumps(record | more))
    return folder / f"{cell.name}.json"


def test_a_name_says_what_the_cell_is():
    assert Cell("ipl", "pixar character", 3).name == "ipl-pixar-character-seed3"
    assert Cell("ipl_star", "ukiyo-e", 0, ("batch=2",), "batch 2").name == "ipl-star-ukiyo-e-seed0-batch-2"


@pytest.mark.parametrize("changes, variant", [(("lr=1",), ""), ((), "fast")])
def test_changed_settings_need_a_name_and_a_name_changed_settings(changes, variant):
    with pytest.raises(UserError, match="needs a name"):
        Cell("ipl", "sketch", 0, changes, variant)


def test_no_two_cells_have_one_file():
    assert len({cell.name for cell in EVERYTHING}) == len(set(EVERYTHING))


def test_the_thesis_table_is_as_large_as_it_says():
    assert len(TARGETS) == 13 and set(SIX) < set(TARGETS)
    assert len(PLANS["table"]()) == 13 + 2 * 5 * 13
    assert len(PLANS["star"]()) == 3 * 13 and len(PLANS["others"]()) == 4 * 3 * 6
    assert set(PLANS["laptop"]()) < set(PLANS["table"]()), "what is computed again is printed"


def test_plans_are_joined_in_order_and_each_cell_once():
    assert plan(("table", "laptop")) == PLANS["table"]()
    assert plan(("laptop", "table"))[:3] == PLANS["laptop"]()
    with pytest.raises(UserError, match="a plan is one of table, star, others, ablations, laptop; got tables"):
        plan(("tables",))


def test_at_the_full_tier_a_chapter_means_the_whole_table():
    assert plans_at("laptop", "laptop") == plans_at("laptop", "smoke") == ("laptop",)
    assert plans_at("laptop", "full") == ("table", "star", "others")
    with pytest.raises(UserError, match="a plan is one of"):
        plans_at("tables", "full")


def test_parts_share_the_work_and_leave_nothing_out():
    parts = [choose(EVERYTHING, part=f"{k}/3") for k in range(3)]
    assert sum(map(len, parts)) == len(EVERYTHING) and set().union(*parts) == set(EVERYTHING)
    assert {c.target for c in parts[0]} & {c.target for c in parts[1]} == set(), "one process renders a domain's truth"


def test_methods_and_targets_narrow_the_choice():
    chosen = choose(EVERYTHING, ("nada",), ("sketch", "statue"))
    assert {(c.method, c.target) for c in chosen} == {("nada", "sketch"), ("nada", "statue")}


@pytest.mark.parametrize("options, sentence", [
    ({"methods": ("nada", "niping")}, "method must be one of .* got niping"),
    ({"targets": ("photo",)}, "target must be one of .* got photo"),
    ({"part": "2/2"}, "part needs to be K/N"),
    ({"part": "one"}, "part needs to be K/N"),
    ({"part": "-1/2"}, "part needs to be K/N"),
])  # fmt: skip
def test_a_choice_of_nothing_is_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        choose(EVERYTHING, **options)


def test_cells_are_read_as_one_sorted_table(tmp_path):
    write(tmp_path, Cell("nada", "sketch", 1), {"FID": 2, "IS": None}, summary={"last_loss": 0.4})
    write(tmp_path, Cell("nada", "sketch", 0), {"FID": 1.5, "IS": 3}, summary={"last_loss": 0.5})
    write(tmp_path, Cell(SOURCE, "sketch"), {"FID": 9.0}, **{"true renders": {"FID": 0.1}})
    table = read_cells(tmp_path)
    assert list(table.method) == ["nada", "nada", "source"] and list(table.seed) == [0, 1, 0]
    assert table.FID.dtype == table.IS.dtype == float and table.IS.isna().tolist() == [False, True, True]
    assert read_truths(tmp_path).at["sketch", "FID"] == 0.1
    assert list(read_summaries(tmp_path).last_loss) == [0.5, 0.4]


def test_an_empty_folder_gives_an_empty_table(tmp_path):
    assert list(read_cells(tmp_path)) == ["method", "target", "seed", "variant"] and len(read_truths(tmp_path)) == 0
    assert len(read_cells(tmp_path / "nowhere")) == 0
    assert isinstance(read_summaries(tmp_path), pd.DataFrame)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"kind": "adapted generator", "scores": {}}', '{"kind": "cell", "scores": [1]}', '{"kind": "cell", "scores": {}}'])
def test_a_damaged_cell_is_refused_by_name(tmp_path, text):
    (tmp_path / "nada-sketch-seed0.json").write_text(text)
    with pytest.raises(UserError, match="nada-sketch-seed0.json needs to be the record of a cell"):
        read_cell(tmp_path / "nada-sketch-seed0.json")
    with pytest.raises(UserError, match="nada-sketch-seed0.json"):
        read_cells(tmp_path)


def test_printed_cells_lie_apart_from_those_of_a_run(repository):
    assert cell_folder("full") == repository / "figures/full/cells"
    assert cell_folder("laptop") == repository / "_build/run/world-laptop/cells"
    assert cell_folder("full", "paper") == repository / "_build/run/world-full/cells".replace("world", "paper")


def test_cells_that_nobody_computed_are_asked_for_by_their_command(repository):
    with pytest.raises(UserError, match="the cells of laptop are needed .* iplkit regenerate cells-laptop --tier laptop$"):
        cells_path("laptop", "laptop")
    manifest_path("laptop", "laptop").parent.mkdir(parents=True)
    manifest_path("laptop", "laptop").write_text("{}")
    assert cells_path("laptop", "laptop") == cell_folder("laptop")
    assert paths.run_folder("laptop") in manifest_path("laptop", "laptop").parents
