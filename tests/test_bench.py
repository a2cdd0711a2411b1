import importlib.util
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture(autouse=True)
def in_bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    yield
    for name in ("record", "bench_run"):
        sys.modules.pop(name, None)


def load(name):
    """A script of bench/ as a module of another name."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_ratio_is_that_of_the_medians_with_the_rounds_around_it():
    found = load("record").ratios([4.0, 9.0, 6.0], [2.0, 3.0, 1.0])
    assert found == {"ratio": 3.0, "low": 2.0, "high": 6.0, "rounds": 3}


def test_every_row_of_the_table_has_a_spread_or_was_counted():
    run, record = load("run"), load("record")
    lines = [{"quantity": "timed", "asked": ">= 2", "met": True} | record.ratios([4.0, 6.0], [2.0, 2.0])]
    lines.append({"quantity": "held", "met": False} | record.counted(0.3))
    head, timed, held = (row.split() for row in run.table(lines).splitlines())
    assert head == ["quantity", "ratio", "lowest", "highest", "asked", "met"]
    assert timed == ["timed", "2.5", "2.0", "3.0", ">=", "2", "yes"]
    assert held == ["held", "0.3", "counted", "no"]


def test_a_bench_that_fails_is_named_with_its_last_words(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text('print(\'{"quantity": "one", "ratio": 1.0}\')\nprint("no json")\nraise SystemExit("no room")\n')
    lines, problem = load("run").run("broken", [str(script)])
    assert lines == [{"bench": "broken", "quantity": "one", "ratio": 1.0}]
    assert problem == "exit code 1: no room"


def test_both_sizes_run_scripts_that_are_there():
    run = load("run")
    for full in (False, True):
        for script, *_ in run.commands(full).values():
            assert Path(script).is_file()
