"""The workflow: it knows what depends on what, runs only that, and says plainly what went wrong."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import small_book
from click.testing import CliRunner

from iplkit import leftovers, paths, regenerate, sources
from iplkit.errors import UserError
from iplkit.execute import check_parameters, run_notebook
from iplkit.execute import main as execute
from iplkit.jobs import jobs, left_out, select
from iplkit.stage import build_book, first_page, stage
from iplkit.web.export import FOLDER as EXPORTED

PLAIN = small_book.notebook("# One", "from iplkit import paths\n\nprint(TIER, PROFILE)")
SAVES = 'save_table(frame, "tab-a", origin)'


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Make a small book and stand in it."""

    def make(**notebooks):
        folder = small_book.make(tmp_path / "book", notebooks)
        monkeypatch.chdir(folder)
        return folder

    return make


def job(table, name):
    return next(job for job in table if job.name == name)


def test_what_a_notebook_needs_and_makes_is_read_from_its_code(book):
    book(a=small_book.notebook("from iplkit.records import save_table", SAVES, 'path = paths.adapted_path("ipl", "ukiyo-e", TIER)'))
    source = sources.read_source(paths.root() / "notebooks" / "a.ipynb")
    names = {path.name for path in source.modules}
    assert {"records.py", "exhibits.py", "plotting.py", "images.py", "__init__.py"} <= names, "modules of modules count too"
    assert "cli.py" not in names
    assert source.adapted == (("ipl", "ukiyo-e"),) and source.writes == ("tab-a",)


def test_an_adapted_generator_is_a_step_of_its_own(book):
    book(a=small_book.notebook('adapted_path("nada", "ukiyo-e", TIER)'), b=small_book.notebook('adapted_path("nada", "ukiyo-e", TIER)'))
    table = jobs("smoke")
    assert [j.kind for j in table] == ["adapt", "notebook", "notebook", "book"], "two notebooks share one"
    made = table[0].outputs[0]
    assert made == "_build/run/world-smoke/adapted/nada-photo-to-ukiyo-e-seed0.safetensors"
    assert made in table[1].inputs and made in table[2].inputs
    assert "iplkit/adapt/loop.py" in table[0].inputs


def test_cells_of_the_thesis_table_are_a_step_that_waits_for_its_generators(book):
    folder = book(
        a=small_book.notebook('adapted_path("nada", "sketch", TIER)\nadapted_path("nada", "statue", TIER)'),
        b=small_book.notebook('read_cells(cells_path("laptop", TIER)), read_cells(cell_folder("full"))'),
    )
    (folder / "figures/full/cells").mkdir(parents=True)
    (folder / "figures/full/cells/nada-sketch-seed0.json").write_text("{}")
    table = jobs("laptop")
    assert [j.kind for j in table] == ["adapt", "adapt", "cells", "notebook", "notebook", "book"]
    cells, reader = job(table, "cells-laptop"), job(table, "b")
    adapted = [name for name in cells.inputs if "/adapted/" in name and name.endswith(".safetensors")]
    assert adapted == ["_build/run/world-laptop/adapted/nada-photo-to-sketch-seed0.safetensors"], "no cell is a statue"
    assert {"iplkit/sweep/ruler.py", "iplkit/adapt/loop.py"} <= set(cells.inputs)
    assert cells.outputs == ("_build/run/world-laptop/cells-laptop.json",) and cells.outputs[0] in reader.inputs
    assert "figures/full/cells/nada-sketch-seed0.json" in reader.inputs, "a new printed cell makes the chapter run again"
    assert not any("cells" in name for name in job(table, "a").inputs)


def test_at_the_full_tier_the_step_fills_the_printed_cells(book):
    book(b=small_book.notebook('read_cells(cells_path("laptop", TIER))'))
    table = jobs("full")
    whole, last = job(table, "cells-laptop"), job(table, "cells-laptop-part-12")
    assert whole.command[-3:] == ("laptop", "--tier", "full") and last.command[-2:] == ("--part", "12/13")
    assert {f"_build/run/world-full/cells-laptop-part-{k}.json" for k in range(13)} <= set(whole.inputs), "machines share the domains"
    assert last.outputs[0] not in job(table, "b").inputs and not [j for j in jobs("laptop") if "part" in j.name]


def test_with_the_papers_models_a_notebook_alone_is_a_step_and_its_figures_are_not_promised(book):
    book(a=small_book.notebook(SAVES, 'begin(PROFILE, "")', 'read_cells(cells_path("laptop", TIER))'), b=PLAIN)
    (only,) = jobs("laptop", "paper")
    assert only.name == "a" and only.outputs == ("_build/run/paper-laptop/notebooks/a.ipynb",)
    assert left_out() == {"b": "knows only the world's models; it has no call of begin"}


def test_an_unknown_plan_of_cells_is_refused(book):
    book(b=small_book.notebook('cells_path("tables", TIER)'))
    with pytest.raises(UserError, match="a plan is one of"):
        jobs()


def test_a_record_makes_its_reader_wait_for_its_writer(book):
    book(a=small_book.notebook('n = read_numbers("tab-a", origin)'), b=small_book.notebook(SAVES))
    table = jobs()
    assert "_build/run/world-laptop/figures/tab-a.json" in job(table, "a").inputs
    assert "_build/run/world-laptop/figures/tab-a.json" in job(table, "b").outputs


def test_a_printed_record_is_an_input_and_a_lost_one_is_refused(book):
    folder = book(a=small_book.notebook('n = read_numbers("tab-world", origin)'))
    with pytest.raises(UserError, match="none writes tab-world"):
        jobs()
    small_book.write_record(folder / "figures", "tab-world", {})
    assert "figures/tab-world.json" in job(jobs(), "a").inputs


@pytest.mark.parametrize("code, sentence", [
    ("save_table(frame, name, origin)", "literal strings"),
    ("def broken(:", "code that Python can parse"),
])  # fmt: skip
def test_code_that_hides_its_names_is_refused(book, code, sentence):
    book(a=small_book.notebook(code))
    with pytest.raises(UserError, match=sentence):
        jobs()


def test_two_writers_of_one_table_and_a_missing_notebook_are_refused(book):
    folder = book(a=small_book.notebook(SAVES), b=small_book.notebook(SAVES))
    with pytest.raises(UserError, match="two write tab-a"):
        jobs()
    (folder / "notebooks" / "b.ipynb").unlink()
    with pytest.raises(UserError, match="there is none"):
        jobs()


def test_names_of_chapters_and_figures_are_known_and_others_refused(book):
    book(a=small_book.notebook(SAVES), b=PLAIN)
    table = jobs()
    assert [j.name for j in select(table, ("tab-a",))] == ["a"]
    assert [j.name for j in select(table, ("b", "book"))] == ["b", "book"]
    with pytest.raises(UserError, match="no 'tab-b', but tab-a"):
        select(table, ("tab-b",))


@pytest.mark.parametrize("value, sentence", [(3, "type str for TIER; it got 3"), (None, "it got None")])
def test_a_value_of_another_type_is_refused(book, value, sentence):
    folder = book(a=PLAIN)
    with pytest.raises(UserError, match=sentence):
        check_parameters(folder / "notebooks" / "a.ipynb", {"TIER": value})


@pytest.mark.parametrize("parameters, sentence", [
    (None, "exactly one cell tagged parameters"),
    ('PROFILE = "world"\nTIER = "laptop"', "it lacks OUT"),
])  # fmt: skip
def test_a_notebook_without_its_parameters_is_refused(book, parameters, sentence):
    folder = book(a=small_book.notebook("1", parameters=parameters))
    with pytest.raises(UserError, match=sentence):
        check_parameters(folder / "notebooks" / "a.ipynb", {})


def test_a_parameter_the_notebook_does_not_know_is_refused(book):
    folder = book(a=PLAIN)
    with pytest.raises(UserError, match="knows the parameters OUT, PROFILE, TIER; it got SIZE"):
        check_parameters(folder / "notebooks" / "a.ipynb", {"SIZE": 3})


def test_only_what_changed_runs_again_and_a_failure_harms_nothing_else(book, capsys):
    uses = small_book.notebook("# Two", "import iplkit.numbers")
    folder = book(a=PLAIN, b=uses, c=small_book.notebook("# Three", "print(3)"))
    small_book.own_package(folder)
    run = folder / "_build/run/world-smoke"
    regenerate.regenerate(("a", "b", "c"), "smoke", workers=2)
    executed = json.loads((run / "notebooks/a.ipynb").read_text())
    assert executed["cells"][-1]["outputs"][0]["text"] == ["smoke world\n"]
    injected = [cell for cell in executed["cells"] if "injected-parameters" in cell["metadata"].get("tags", [])]
    assert "remove-cell" in injected[0]["metadata"]["tags"], "plumbing is not printed"
    assert injected[0]["id"] == "injected-parameters", "nothing in it is drawn by chance"
    assert str(folder) not in json.dumps(executed), "no path of this machine is printed"
    assert json.loads((folder / "notebooks" / "a.ipynb").read_text()) == json.loads(PLAIN), "the source is never changed"

    def changed():
        return set(regenerate.plan(jobs("smoke"), ("a", "b", "c"), "smoke", "world", False))

    (folder / "notebooks" / "b.ipynb").touch()
    assert changed() == set()
    with open(folder / "iplkit" / "numbers.py", "a") as module:
        module.write("# changed\n")
    (folder / "notebooks" / "a.ipynb").write_text(small_book.notebook("# One", "raise ValueError('not today')"))
    assert changed() == {"a", "b"}, "the notebook itself, and the user of the module"
    before = (run / "notebooks/c.ipynb").stat().st_mtime_ns
    capsys.readouterr()
    with pytest.raises(UserError, match="a failed, see _build/run/world-smoke/logs/a.txt; a stopped in code cell 3: ValueError: not today"):
        regenerate.regenerate(("a", "b", "c"), "smoke", workers=1)
    assert "a failed after" in (said := capsys.readouterr().out) and "b done in" in said
    assert "not today" in (run / "logs/a.ipynb").read_text(), "the failed copy is kept"
    assert not (run / "notebooks/a.ipynb").exists(), "and is not the result"
    assert (run / "notebooks/c.ipynb").stat().st_mtime_ns == before


def test_a_run_after_a_killed_one_gives_whole_results_whatever_went_on_working(book):
    folder = book(a=small_book.notebook("# One", small_book.SAVE, 'save_table("1,2", "tab-a", 0)\nimport time\ntime.sleep(2)\nsave_table("3,4", "tab-b", 0)'))
    figures = folder / "_build/run/world-smoke/figures"
    command = [sys.executable, "-m", "iplkit.cli", "regenerate", "a", "--tier", "smoke"]

    def run():
        environment = os.environ | {"PYTHONPATH": str(small_book.REPOSITORY)}
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)

    first = run()
    while not (figures / "tab-a.json").is_file():
        assert first.poll() is None
        time.sleep(0.05)
    first.kill()  # only the first process: Snakemake, papermill and the kernel go on
    first.wait()
    assert run().wait() == 0
    assert {path.name: path.read_text() for path in figures.glob("*.csv")} == {"tab-a.csv": "1,2", "tab-b.csv": "3,4"}
    assert leftovers.clear(jobs("smoke"), "smoke", "world") == [] and len(list(figures.iterdir())) == 8, "all whole, and nothing beside"
    assert (folder / "_build/run/world-smoke/notebooks/a.ipynb").is_file()


def test_a_cell_that_hangs_is_stopped(book):
    folder = book(a=small_book.notebook("import time\ntime.sleep(60)"))
    with pytest.raises(Exception, match="timed out"):
        run_notebook(folder / "notebooks/a.ipynb", folder / "out.ipynb", folder / "log.ipynb", {}, seconds_per_cell=1)
    assert not (folder / "out.ipynb").exists()


def test_a_failed_build_keeps_the_old_pages(book, capsys):
    folder = book(a=small_book.notebook("# One", "text: {num}`tab-a:x`"))
    old = folder / "_build/stage/_build/html/index.html"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    with pytest.raises(UserError, match="without a warning"):
        build_book()
    assert "there is no record tab-a" in capsys.readouterr().err
    assert old.read_text() == "old"


def test_the_book_is_built_from_what_ran_and_needs_no_network(book):
    cell = 'text: Measured: {num}`tab-a:IPL.FID|.1f`, and {num}`tab-a:share|.0%`.'
    folder = book(a=small_book.notebook("# One", cell))
    small_book.write_record(folder / "figures", "tab-a", {"IPL": {"FID": 1.0}, "share": 0.5})
    small_book.write_record(folder / "_build/run/world-laptop/figures", "tab-a", {"IPL": {"FID": 12.34}, "share": 0.25})
    page = first_page()
    page.parent.mkdir(parents=True)
    (page.parent / "half.html").write_text("of a killed build")
    assert build_book() == page
    assert not (page.parent / "half.html").exists()
    html = (page.parent / "notebooks" / "a.html").read_text()
    assert ">12.3</span>" in html, "the fresh record wins"
    assert "25\N{NARROW NO-BREAK SPACE}%" in html
    assert html.count("const THEBE_JS_URL") <= 1
    assert (page.parent / "_static/mathjax/tex-chtml.js").is_file()
    assert not any(f'src="{scheme}' in html for scheme in ("http://", "https://", "//")), "a script or picture from outside"


def test_printed_files_that_a_notebook_reads_are_inputs(book):
    folder = book(
        a=small_book.notebook('show(folder / "tab-world.md")'), b=small_book.notebook('read_cells(cell_folder("full"))'),
        c=small_book.notebook("stored_rows(figures)"),
    )  # fmt: skip
    wanted = {"a": "figures/tab-world.md", "b": "figures/full/cells/nada-sketch-seed0.json", "c": "figures/full/steer-zombie.json"}
    for name in wanted.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    table = jobs()
    for notebook, name in wanted.items():
        assert [other for other in wanted.values() if other in job(table, notebook).inputs] == [name]


def test_the_numbers_of_a_study_are_inputs_of_the_notebook_that_reads_them(book):
    folder = book(a=small_book.notebook('read_finding("inversion", "which_space")'), b=small_book.notebook('read_finding("inversion", "defects")'))
    for name in ("which-space", "moved-faces"):
        path = folder / "figures" / "full" / "inversion" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    table = jobs()
    of = {name: [path for path in job(table, name).inputs if "inversion" in path] for name in ("a", "b")}
    assert of == {"a": ["figures/full/inversion/which-space.json"], "b": []}, "one that is missing is asked for when the notebook runs"
    (folder / "notebooks" / "a.ipynb").write_text(small_book.notebook("read_finding(\"inversion\", name)"))
    with pytest.raises(UserError, match="literal"):
        jobs()


def test_what_a_notebook_exports_for_the_live_page_is_an_output(book):
    book(a=small_book.notebook("from iplkit.web.export import export", "export(folder, generator, controls, directions)"), b=PLAIN)
    table = jobs("smoke")
    assert [name for name in ("a", "b") if "_build/run/world-smoke/live.json" in job(table, name).outputs] == ["a"]
    assert "_build/run/world-smoke/live.json" in job(table, "book").inputs


def test_data_files_that_a_module_names_are_inputs(book):
    book(a=small_book.notebook('adapted_path("ipl", "sketch", TIER)'))
    assert "iplkit/adapt/prompts.json" in job(jobs(), "ipl-photo-to-sketch-seed0").inputs


def test_the_book_needs_the_modules_that_build_it(book):
    book(a=PLAIN)
    assert {"iplkit/stage.py", "iplkit/prose.py"} <= set(job(jobs(), "book").inputs)


def test_no_command_holds_a_path_of_this_machine(book):
    book(a=small_book.notebook('adapted_path("nada", "sketch", TIER)'))
    assert not [found.shell for found in jobs() if str(paths.root()) in found.shell or sys.executable in found.shell]


def test_a_missing_weight_is_named_before_anything_runs(book):
    folder = book(a=small_book.notebook("from iplkit.zoo import load"))
    small_book.own_package(folder)
    (folder / "iplkit" / "shipped" / "judge.safetensors").unlink()
    with pytest.raises(UserError, match="missing in iplkit/shipped: judge.safetensors; git checkout"):
        regenerate.regenerate(("a",), "smoke")
    assert not (folder / "_build/run/world-smoke/logs").exists()


def test_the_papers_weights_are_asked_for_before_anything_runs(book, monkeypatch):
    monkeypatch.delenv("IPLKIT_PAPER_WEIGHTS", raising=False)
    book(a=small_book.notebook('begin(PROFILE, "generator, clip", "judge")'))
    with pytest.raises(UserError, match="a needs generator and clip, .* iplkit zoo get generator && iplkit zoo get clip; first name a folder"):
        regenerate.regenerate(("a",), "smoke", "paper")
    with pytest.raises(UserError, match="no notebook can run with these files: a needs generator"):
        regenerate.regenerate((), "smoke", "paper")


def test_a_disk_without_space_is_refused_before_anything_runs(book, monkeypatch):
    book(a=PLAIN)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5e6))
    with pytest.raises(UserError, match="needs 300 MB of free space for this tier; it has 5 MB, so nothing was begun"):
        regenerate.regenerate(("a",), "smoke")


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_no_figure(book, monkeypatch):
    folder = book(a=small_book.notebook(SAVES))
    record = small_book.write_record(folder / "_build/run/world-smoke/figures", "tab-a", {})

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "a.ipynb")

    monkeypatch.setattr("iplkit.execute.run_notebook", full)
    result = CliRunner().invoke(execute, ["a", "--tier", "smoke"])
    assert result.exit_code == 2
    assert result.stderr == "Error: the disk needs free space to write a.ipynb; it is full, and nothing half-written was left\n"
    assert list(record.parent.iterdir()) == []


def test_a_place_to_run_that_is_not_there_is_answered_with_the_known_ones(book):
    folder = book(a=PLAIN)
    (folder / "profiles").symlink_to(small_book.REPOSITORY / "profiles")
    with pytest.raises(UserError, match="profiles/mars is none, but profiles/kubernetes, profiles/slurm"):
        regenerate._check_cluster(Path("profiles/mars"))
    (folder / "config.yaml").write_text("executor: of-another-planet")
    with pytest.raises(UserError, match=r"the package snakemake-executor-plugin-of-another-planet; install it with: pip"):
        regenerate._check_cluster(Path("."))


def test_code_that_is_edited_while_a_step_runs_makes_it_run_again(book):
    folder = book(a=PLAIN, b=PLAIN)
    table = [job(jobs("smoke"), name) for name in "ab"]
    for step in table:
        (folder / step.outputs[0]).parent.mkdir(parents=True, exist_ok=True)
        (folder / step.outputs[0]).write_text("{}")
    progress = SimpleNamespace(jobs={step.name: step for step in table}, seconds={"a": 1.0, "b": 1.0}, begun=dict.fromkeys("ab", time.time()))
    (folder / "notebooks/a.ipynb").touch()
    os.utime(folder / "notebooks/a.ipynb", (time.time() + 1,) * 2)
    os.utime(folder / "notebooks/b.ipynb", (time.time() - 60,) * 2)
    assert set(regenerate._changed_meanwhile(progress)) == {"a"}
    assert not (folder / table[0].outputs[0]).exists() and (folder / table[1].outputs[0]).exists()


def test_staging_touches_only_what_differs_and_drops_what_is_gone(book):
    folder = book(a=PLAIN)
    (folder / "figures" / "x.svg").write_text("1")
    staged = stage("laptop", "world")
    before = (staged / "book" / "intro.md").stat().st_mtime_ns
    (folder / "figures" / "x.svg").unlink()
    stage("laptop", "world")
    assert (staged / "book" / "intro.md").stat().st_mtime_ns == before
    assert not (staged / "figures" / "x.svg").exists()


def test_what_a_run_exported_for_the_live_page_lies_beside_its_script(book):
    folder = book(a=PLAIN)
    made = folder / "_build/run/world-laptop" / EXPORTED / "live.json"
    made.parent.mkdir(parents=True)
    made.write_text("{}")
    staged = stage("laptop", "world") / "book" / "_static" / "live"
    assert (staged / "data" / "live.json").read_text() == "{}" and (staged / "start.js").is_file()


def test_full_results_are_kept_and_never_overwritten(book):
    folder = book(a=PLAIN)
    small_book.write_record(folder / "_build/run/world-full/figures", "tab-a", {"x": 1})
    assert "tab-a.json" in regenerate.keep("full", "world")
    (folder / "_build/run/world-full/figures/tab-a.json").write_text("{}")
    assert regenerate.keep("full", "world") == []
    assert json.loads((folder / "figures/full/tab-a.json").read_text())["numbers"] == {"x": 1}


def test_a_large_new_picture_is_left_out_and_named_and_its_numbers_are_kept(book):
    from iplkit.checks.report import Report
    from iplkit.checks.stored import read_records
    from iplkit.files import sha256

    folder = book(a=PLAIN)
    run = folder / "_build/run/world-laptop/figures"
    run.mkdir(parents=True)
    for name, size in (("fig-large.png", regenerate.LARGE + 1), ("fig-known.png", regenerate.LARGE + 1), ("fig-small.png", 10)):
        (run / name).write_bytes(b"x" * size)
        small_book.write_record(run, name[:-4], {"x": 1}, files={name: sha256(run / name)})
        (run / f"{name[:-4]}.csv").unlink()
    (folder / "figures" / "fig-known.png").write_bytes(b"old")
    kept = regenerate.keep("laptop", "world")
    assert {"fig-large.json", "fig-known.png", "fig-small.png"} <= set(kept) and not (folder / "figures" / "fig-large.png").exists()
    assert json.loads((folder / "figures/fig-large.run.json").read_text())["left_out"] == ["fig-large.png"]
    assert "left_out" not in json.loads((folder / "figures/fig-known.run.json").read_text())
    read_records(folder / "figures", report := Report())
    assert report.wrong == []
    (folder / "figures" / "fig-small.png").unlink()
    read_records(folder / "figures", report := Report())
    assert len(report.wrong) == 1 and "describes fig-small.png, which is missing" in report.wrong[0]


def test_two_runs_at_a_time_are_refused(book):
    book(a=PLAIN)
    with regenerate._only_one_at_a_time(), pytest.raises(UserError, match="another one is running"):
        regenerate.regenerate(("a",), "smoke")
