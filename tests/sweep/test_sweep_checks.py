"""`iplkit verify` on printed cells: in order, damaged, aged, contradicted by a run."""

import json

import pytest

from iplkit import verify as verifying
from iplkit.sweep.checks import check_cells
from iplkit.verify import verify

SHIPPED = {"generator": "g1", "clip": "c1"}


def cell(folder, method, seed, scores, **more):
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{method}-sketch-seed{seed}"
    record = {"kind": "cell", "name": name, "method": method, "target": "sketch", "seed": seed, "variant": "", "inputs": SHIPPED}
    (folder / f"{name}.json").write_text(json.dumps(record | {"scores": scores, "reach": {"pictures": 9}, "settings": {"lr": 1}} | more))


@pytest.fixture
def folders(tmp_path):
    """Five printed seeds."""
    printed, again = tmp_path / "printed", tmp_path / "again"
    for seed, value in enumerate((10.0, 10.4, 9.8, 10.1, 9.9)):
        cell(printed, "ipl", seed, {"FID": value, "IS": value / 2})
    return printed, again


def test_cells_in_order_are_neither_wrong_nor_aged(folders):
    assert check_cells(*folders, SHIPPED) == ([], [])
    cell(folders[1], "ipl", 0, {"FID": 10.3, "IS": 5.1})
    assert check_cells(*folders, SHIPPED) == ([], [])


def test_a_number_far_outside_the_prediction_interval_is_wrong(folders):
    cell(folders[1], "ipl", 0, {"FID": 20.0, "IS": 5.1})
    (wrong,), aged = check_cells(*folders, SHIPPED)
    assert wrong.startswith("ipl-sketch-seed0.json: FID came out as 20, outside 9.") and "where 5 printed seeds put it; look" in wrong and aged == []


def test_a_number_that_chance_explains_is_not_wrong(folders):
    """Outside at 95 %, inside once the chance is divided among all numbers."""
    many = {f"score {i}": 10.0 for i in range(40)}
    cell(folders[1], "ipl", 0, {"FID": 10.9})
    assert len(check_cells(*folders, SHIPPED)[0]) == 1
    cell(folders[1], "ipl", 0, {"FID": 10.9} | many)
    assert check_cells(*folders, SHIPPED)[0] == []


def test_cells_of_other_weights_are_aged_and_not_compared(folders):
    cell(folders[1], "ipl", 0, {"FID": 99.0})
    wrong, aged = check_cells(*folders, SHIPPED | {"clip": "c2"})
    assert wrong == [] and len(aged) == 5 and aged[0] == "ipl-sketch-seed0.json: clip changed since; delete it and run iplkit sweep"
    cell(folders[1], "ipl", 0, {"FID": 99.0}, inputs={"generator": "g0"})
    assert check_cells(*folders, SHIPPED) == ([], []), "a run of other weights says nothing either"


def test_a_weight_that_is_no_longer_shipped_says_nothing(folders):
    assert check_cells(*folders, {}) == ([], [])


def test_other_settings_than_the_codes_are_wrong(folders):
    cell(folders[1], "ipl", 0, {"FID": 10.0}, settings={"lr": 2}, reach={"pictures": 8})
    assert check_cells(*folders, SHIPPED)[0] == ["ipl-sketch-seed0.json: was printed with other reach and settings than the code has now; undo the change, or delete it and run iplkit sweep"]


def test_a_damaged_cell_and_one_under_a_wrong_name_are_wrong(folders):
    (folders[0] / "ipl-sketch-seed9.json").write_text((folders[0] / "ipl-sketch-seed0.json").read_text())
    (folders[0] / "nada-sketch-seed0.json").write_text("{")
    wrong, _ = check_cells(*folders, SHIPPED)
    assert wrong[0] == "ipl-sketch-seed9.json: is the cell ipl-sketch-seed0; give it its name back" and "damaged" in wrong[1] and len(wrong) == 2


def test_verify_reads_the_printed_cells(repository, monkeypatch):
    monkeypatch.setattr(verifying, "shipped_hashes", lambda: SHIPPED | {"clip": "c2"})
    cell(repository / "figures/full/cells", "ipl", 0, {"FID": 1.0})
    assert verify().aged == ["figures/full/cells/ipl-sketch-seed0.json: clip changed since; delete it and run iplkit sweep"]
    cell(repository / "figures/full/cells", "ipl", 0, {"FID": 1.0}, inputs={})
    cell(repository / "figures/full/cells", "ipl", 1, {"FID": 1.1}, inputs={})
    cell(repository / "_build/run/world-laptop/cells", "ipl", 0, {"FID": 70.0}, inputs={})
    (wrong,) = verify().wrong
    assert wrong.startswith("figures/full/cells/ipl-sketch-seed0.json: FID came out as 70")
