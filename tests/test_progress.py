"""Progress: what is said when steps begin and end, and where the guess of the time left comes from."""

import json

import pytest
import small_book

from iplkit import paths
from iplkit.jobs import jobs
from iplkit.progress import GUESS, START, Progress, printed_seconds


@pytest.fixture
def table(tmp_path, monkeypatch):
    notebooks = {"a": small_book.notebook('save_table(frame, "tab-a", origin)'), "b": small_book.notebook("1")}
    monkeypatch.chdir(small_book.make(tmp_path / "book", notebooks))
    return [job for job in jobs("laptop") if job.kind == "notebook"]


def set_state(job, word):
    (paths.root() / job.state).write_text(f"{word}\n")


def test_steps_are_named_when_they_begin_and_end_and_their_times_are_remembered(table, capsys):
    progress = Progress(table, 2, "laptop", "world")
    assert "2 steps, 2 at a time, about 30 s. Logs: _build/run/world-laptop/logs" in capsys.readouterr().out
    set_state(table[0], "begin")
    progress.look()
    assert progress.running() == ["a"] and capsys.readouterr().out == "        a ...\n"
    progress.begun["a"] -= 12
    set_state(table[0], "done")
    set_state(table[1], "failed")
    progress.look()
    assert capsys.readouterr().out.splitlines() == [
        "[ 1/2] a done in 12 s; about 30 s left", "        b ...", "[ 2/2] b failed after 0 s; about 0 s left",
    ]  # fmt: skip
    assert progress.failed == ["b"]
    assert json.loads(progress.memory.read_text()) == {"a": 12.0}, "a failure says nothing about the next run"


def test_the_state_of_an_earlier_run_does_not_count(table):
    first = Progress(table, 1, "laptop", "world")
    set_state(table[0], "done")
    Progress(table, 1, "laptop", "world").look()
    assert not first.memory.exists()


def test_times_are_guessed_from_the_last_run_then_from_print_then_by_kind(table):
    assert printed_seconds(table[0]) == GUESS["notebook"]
    record = small_book.write_record(paths.root() / "figures", "tab-a", {})
    record.with_suffix(".run.json").write_text('{"seconds": {"since the notebook began": 60.0}}')
    assert Progress(table, 1, "laptop", "world").expected == {"a": 60 + START, "b": GUESS["notebook"]}
    assert Progress(table, 1, "smoke", "world").expected["a"] == (60 + START) / 2
    memory = paths.run_folder("laptop") / "seconds.json"
    memory.write_text('{"a": 5.0}')
    assert Progress(table, 1, "laptop", "world").expected["a"] == 5


def test_what_runs_counts_for_its_rest_only(table):
    progress = Progress(table, 1, "laptop", "world")
    set_state(table[0], "begin")
    progress.look()
    progress.begun["a"] -= 20
    assert progress.left() == pytest.approx(10 + 30, abs=0.5)
