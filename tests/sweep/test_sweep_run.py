"""Running cells: never twice, never two at a time on one, and whole or not at all."""

import copy
import fcntl
import json
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner

from iplkit import zoo
from iplkit.adapt.products import product_settings
from iplkit.cli import main
from iplkit.clip.model import Clip, ClipConfig, build_world_clip, freeze
from iplkit.errors import UserError
from iplkit.jobs import PARTS
from iplkit.sweep import job, run
from iplkit.sweep.cells import SOURCE, Cell, manifest_path, read_cell, read_cells
from iplkit.sweep.plans import OWN_SETTINGS, PLANS, TARGETS
from iplkit.sweep.run import adapted, run_cell, run_cells, waiting
from small_models import small_generator

CELLS = [Cell(SOURCE, target) for target in ("sketch", "disney", "statue")]


class Counting:
    """A ruler that remembers what it measured; it stops at a domain that it is told to."""

    def __init__(self, stop_at=None):
        self.generator, self.reach, self.seen, self.stop_at = object(), {"pictures": 1}, [], stop_at

    def scores(self, generator, domain):
        if domain == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(domain)
        return {"FID": float(len(domain)), "IS": float("nan")}

    def true_scores(self, domain):
        return {"FID": 0.5}


def go(folder, ruler, cells=CELLS):
    return run_cells(cells, folder, "smoke", ruler=ruler, progress=False)


@pytest.fixture
def folder(repository):
    return repository / "cells"


def test_every_cell_gets_one_record_that_can_be_read(folder):
    assert go(folder, Counting()) == 3
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{c.name}.json" for c in CELLS), "no temporary file is left"
    record = read_cell(folder / "source-sketch-seed0.json")
    assert record["scores"] == {"FID": 6.0, "IS": None} and record["true renders"] == {"FID": 0.5}
    assert set(record["inputs"]) == {"generator", "clip", "judge", "identity"} and "settings" not in record


def test_a_finished_cell_is_never_computed_again(folder):
    go(folder, Counting())
    before = {p: p.read_bytes() for p in folder.iterdir()}
    ruler = Counting()
    assert go(folder, ruler) == 0 and ruler.seen == []
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_an_interrupted_sweep_goes_on_where_it_stopped(folder):
    with pytest.raises(KeyboardInterrupt):
        go(folder, Counting(stop_at="disney"))
    assert [c.target for c in waiting(CELLS, folder)] == ["disney", "statue"], "the one that broke has no record"
    ruler = Counting()
    assert go(folder, ruler) == 2 and ruler.seen == ["disney", "statue"]


def test_a_cell_that_another_process_works_on_is_passed_over(folder):
    ruler = Counting()
    with run._claimed(folder, CELLS[1]) as mine:
        assert mine and go(folder, ruler) == 2
    assert ruler.seen == ["sketch", "statue"] and go(folder, ruler) == 1


def test_cells_of_two_folders_do_not_wait_for_each_other(folder):
    with run._claimed(folder, CELLS[0]), run._claimed(folder.parent / "other" / "cells", CELLS[0]) as mine:
        assert mine


def test_the_claim_of_a_killed_process_ends_with_it(folder):
    with run._claimed(folder, CELLS[0]):
        (lock,) = (folder.parent / "_build" / "locks").iterdir()
    code = f"import fcntl, time; f = open({str(lock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with run._claimed(folder, CELLS[0]) as mine:
            assert not mine
        other.kill()
        other.wait()
    with run._claimed(folder, CELLS[0]) as mine:
        assert mine


def test_a_cell_that_another_process_finished_meanwhile_is_not_computed_again(folder, monkeypatch):
    ruler = Counting()
    real = fcntl.flock

    def finish_first(file, how):
        if "disney" in file.name:
            folder.mkdir(exist_ok=True)
            (folder / "source-disney-seed0.json").write_text("{}")
        real(file, how)

    monkeypatch.setattr(run.fcntl, "flock", finish_first)
    assert go(folder, ruler) == 2 and ruler.seen == ["sketch", "statue"]


@pytest.fixture
def tiny_zoo(monkeypatch, tmp_path):
    """Random models of 16 px in place of the shipped ones."""
    sizes = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=1)
    net = freeze(build_world_clip(ClipConfig(**sizes, embed_dim=24), seed=1))
    clip = Clip(net.model, net.config, words=["a", "photo", "of", "sketch", "the"])
    files = {"generator": small_generator(), "clip": clip}
    for name in files:
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(zoo, "load", lambda name, profile="world", folder=None: copy.deepcopy(files[name]))
    monkeypatch.setattr(zoo, "path_of", lambda name, profile="world", folder=None: tmp_path / name)


def test_a_cell_adapts_measures_and_records_both(tiny_zoo, repository):
    record = run_cell(Cell("nada", "sketch", 1), repository / "cells", "smoke", Counting(), repository / "adapted")
    assert record["summary"]["first_loss"] == pytest.approx(1) and record["settings"]["steps"] == 5
    assert (repository / "adapted/nada-photo-to-sketch-seed1.safetensors").is_file() and "true renders" not in record
    table = read_cells(repository / "cells")
    assert table.loc[0, ["method", "seed", "FID"]].tolist() == ["nada", 1, 6.0]


def test_a_generator_that_is_there_is_not_trained_again(tiny_zoo, repository):
    first = adapted(Cell("nada", "sketch"), "smoke", repository)
    again = adapted(Cell("nada", "sketch"), "smoke", repository)
    assert first.made and not again.made and again.record == first.record


def test_changed_settings_go_into_a_folder_of_their_own(tiny_zoo, repository):
    plain = adapted(Cell("nada", "sketch"), "smoke", repository)
    changed = adapted(Cell("nada", "sketch", 0, ("lr=0.01",), "large steps"), "smoke", repository)
    assert changed.path.parent == plain.path.parent / "large-steps" and changed.record["settings"]["lr"] == 0.01
    assert not adapted(Cell("nada", "sketch"), "smoke", repository).made, "the plain one is as it was"


def test_methods_that_train_few_numbers_have_their_own_steps(tiny_zoo, repository):
    product = adapted(Cell("style_shift", "sketch"), "smoke", repository)
    assert OWN_SETTINGS["style_shift"] == ("lr=0.08",) and product.record["settings"]["lr"] == 0.08
    assert product_settings("style_shift", "world", "smoke").lr != 0.08


@pytest.fixture
def counted(monkeypatch):
    """The job's ruler counts, and its only plan is the source."""
    ruler = Counting()
    monkeypatch.setattr(run, "shipped_ruler", lambda tier: ruler)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    for name in PLANS:
        monkeypatch.setitem(PLANS, name, lambda: CELLS)
    return ruler


def test_the_workflows_cells_are_measured_anew_and_listed_at_the_end(repository, counted):
    job.compute("laptop", "laptop")
    listed = json.loads(manifest_path("laptop", "laptop").read_text())
    assert sorted(listed["cells"]) == sorted(c.name for c in CELLS) and counted.seen == ["sketch", "disney", "statue"]
    before = manifest_path("laptop", "laptop").read_bytes()
    job.compute("laptop", "laptop")
    assert len(counted.seen) == 6, "the code may have changed since"
    assert manifest_path("laptop", "laptop").read_bytes() == before, "the same every time"


def test_printed_cells_are_never_measured_anew(repository, counted):
    job.compute("laptop", "full")
    job.compute("laptop", "full")
    assert len(counted.seen) == 3 and len(read_cells(repository / "figures/full/cells")) == 3


def test_a_part_computes_its_domains_alone_and_the_whole_goes_on_from_there(repository, counted):
    part = f"{TARGETS.index('disney')}/{len(TARGETS)}"
    assert job.compute_part("laptop", "full", part) == len(counted.seen) == 1 and PARTS == len(TARGETS)
    job.compute("laptop", "full")
    assert sorted(counted.seen) == ["disney", "sketch", "statue"]


def test_a_list_is_not_written_while_a_cell_is_missing(repository, counted):
    with run._claimed(repository / "_build/run/world-laptop/cells", CELLS[0]), pytest.raises(UserError, match="another process .* source-sketch-seed0"):
        job.compute("laptop", "laptop")
    assert not manifest_path("laptop", "laptop").exists()


def test_the_sweep_says_what_is_missing_and_writes_nothing(repository):
    done = CliRunner().invoke(main, ["sweep", "laptop", "--tier", "laptop", "--dry-run"])
    assert done.exit_code == 0 and "3 cells, 3 of them to do." in done.output and "nada-sketch-seed0" in done.output
    assert not (repository / "_build").exists()


def test_an_unknown_plan_of_the_sweep_is_refused_in_one_sentence(repository):
    done = CliRunner().invoke(main, ["sweep", "tables"])
    assert done.exit_code == 2 and "a plan is one of" in done.stderr and "Traceback" not in done.stderr
