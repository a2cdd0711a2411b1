"""What a killed run leaves: it is found and removed, and nothing whole is."""

import json
import os
import subprocess
import sys

import pytest
import small_book

from iplkit import leftovers, paths
from iplkit.execute import seal_live
from iplkit.files import sha256
from iplkit.jobs import Job, files_of

RUN = "_build/run/world-smoke"
TABLE = [
    Job("nada-photo-to-sketch-seed0", "adapt", (), (f"{RUN}/adapted/nada-photo-to-sketch-seed0.safetensors",), f"{RUN}/logs/x.txt", ()),
    Job("a", "notebook", (), (f"{RUN}/live.json", *(f"{RUN}/figures/{name}" for name in files_of("tab-a"))), f"{RUN}/logs/a.txt", ()),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A repository whose one table has been made; returns the folder of its run."""
    (tmp_path / "iplkit").mkdir()
    (tmp_path / "iplkit" / "code.py").write_text("1")
    (tmp_path / "_toc.yml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(leftovers, "modules_of_module", lambda name: (tmp_path / "iplkit" / "code.py",))
    run = paths.run_folder("smoke")
    small_book.write_record(run / "figures", "tab-a", {"x": 1})
    (run / "figures" / "tab-a.md").write_text("| a |\n")
    return run


def clear():
    return leftovers.clear(TABLE, "smoke", "world")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole_results_stay(run):
    assert clear() == []
    assert names(run / "figures") == ["tab-a.csv", "tab-a.json", "tab-a.md", "tab-a.run.json"]


@pytest.mark.parametrize("damage", ["", "1,3\n"], ids=["missing", "other bytes"])
def test_a_record_whose_files_are_not_those_it_names_is_no_result(run, damage):
    table = run / "figures" / "tab-a.csv"
    table.write_text(damage) if damage else table.unlink()
    assert clear() == ["tab-a"]
    assert not (run / "figures" / "tab-a.json").exists(), "so the workflow makes it again"


def test_half_a_record_is_no_result(run):
    (run / "figures" / "tab-a.json").write_text('{"name": "tab-a"')
    assert clear() == ["tab-a"]


def test_pictures_that_no_record_names_and_results_of_no_step_are_removed(run):
    for name in ("fig-gone.png", "tab-old.csv", ".tab-a.0123abcd.csv"):
        (run / "figures" / name).write_text("x")
    assert clear() == []
    assert names(run / "figures") == ["tab-a.csv", "tab-a.json", "tab-a.md", "tab-a.run.json"]


def test_the_live_pages_files_are_whole_or_made_again(run):
    (run / "live").mkdir()
    (run / "live" / "block4.onnx").write_text("graph")
    seal_live(run)
    assert clear() == [] and (run / "live.json").is_file()
    (run / "live" / "block4.onnx").write_text("half")
    assert clear() == ["live"] and not (run / "live.json").exists()


def test_half_an_adapted_generator_is_no_result_and_a_readers_own_is_left_alone(run):
    folder = run / "adapted"
    folder.mkdir()
    for name in ("nada-photo-to-sketch-seed0", "nada-photo-to-zombie-seed0"):
        (folder / f"{name}.safetensors").write_text("weights")
    assert clear() == ["nada-photo-to-sketch-seed0"]
    assert names(folder) == ["code.txt", "nada-photo-to-zombie-seed0.safetensors"]
    whole = folder / "nada-photo-to-sketch-seed0.safetensors"
    whole.write_text("weights")
    whole.with_suffix(".json").write_text(json.dumps({"sha256": sha256(whole)}))
    assert clear() == [] and whole.is_file()


def test_checkpoints_of_other_code_are_removed_and_those_of_this_code_kept(run):
    checkpoint = run / "adapted" / ".resume" / "x" / "checkpoint.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    clear()
    assert not checkpoint.exists(), "nobody knows which code wrote it"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    clear()
    assert checkpoint.is_file()
    (paths.root() / "iplkit" / "code.py").write_text("2")
    clear()
    assert not checkpoint.exists()


def test_processes_of_this_repositorys_runs_are_ended_and_no_others(run):
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(sleep, env=os.environ | leftovers.mark(), start_new_session=True)
    others = subprocess.Popen(sleep, env=os.environ | {leftovers.MARK: "/another/repository"})
    try:
        assert leftovers.end_processes() == 1
        assert ours.poll() is not None and others.poll() is None
        assert leftovers.end_processes() == 0
    finally:
        for process in (ours, others):
            process.kill()
            process.wait()


def test_of_the_papers_profile_every_whole_result_stays_though_no_step_declares_it(tmp_path, monkeypatch):
    (tmp_path / "iplkit").mkdir()
    (tmp_path / "_toc.yml").write_text("")
    monkeypatch.chdir(tmp_path)
    run = paths.run_folder("smoke", "paper")
    small_book.write_record(run / "figures", "tab-a", {"x": 1})
    (run / "figures" / "tab-b.csv").write_text("of a killed run")
    assert leftovers.clear([Job("a", "notebook", (), ("_build/run/paper-smoke/notebooks/a.ipynb",), "_build/run/paper-smoke/logs/a.txt", ())], "smoke", "paper") == []
    assert names(run / "figures") == ["tab-a.csv", "tab-a.json", "tab-a.run.json"]
