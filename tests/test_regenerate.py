"""The workflow: it knows what depends on what, runs only that, and says plainly what went wrong."""

import json

import pytest
import small_book

from iplkit import paths, regenerate, sources
from iplkit.errors import UserError
from iplkit.execute import check_parameters, run_notebook
from iplkit.stage import build_book, stage
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
    table = regenerate.jobs("smoke")
    assert [j.kind for j in table] == ["adapt", "notebook", "notebook", "book"], "two notebooks share one"
    made = table[0].outputs[0]
    assert made == "_build/run/world-smoke/adapted/nada-photo-to-ukiyo-e-seed0.safetensors"
    assert made in table[1].inputs and made in table[2].inputs
    assert "iplkit/adapt/loop.py" in table[0].inputs


def test_cells_of_the_thesis_table_are_a_step_that_waits_for_its_generators(book):
    folder = book(
        a=small_book.notebook('adapted_path("nada", "sketch", TIER)\nadapted_path("nada", "statue", TIER)'),
        b=small_book.notebook('read_cells(cells_path("laptop", TIER))'),
    )
    (folder / "figures/full/cells").mkdir(parents=True)
    (folder / "figures/full/cells/nada-sketch-seed0.json").write_text("{}")
    table = regenerate.jobs("laptop")
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
    table = regenerate.jobs("full")
    assert job(table, "cells-laptop").command[-3:] == ("laptop", "--tier", "full")
    assert [j.kind for j in regenerate.jobs("laptop", "paper")] == ["notebook", "book"], "the table is the world's"


def test_an_unknown_plan_of_cells_is_refused(book):
    book(b=small_book.notebook('cells_path("tables", TIER)'))
    with pytest.raises(UserError, match="a plan is one of"):
        regenerate.jobs()


def test_a_record_makes_its_reader_wait_for_its_writer(book):
    book(a=small_book.notebook('n = read_numbers("tab-a", origin)'), b=small_book.notebook(SAVES))
    table = regenerate.jobs()
    assert "_build/run/world-laptop/figures/tab-a.json" in job(table, "a").inputs
    assert "_build/run/world-laptop/figures/tab-a.json" in job(table, "b").outputs


def test_a_printed_record_is_an_input_and_a_lost_one_is_refused(book):
    folder = book(a=small_book.notebook('n = read_numbers("tab-world", origin)'))
    with pytest.raises(UserError, match="none writes tab-world"):
        regenerate.jobs()
    small_book.write_record(folder / "figures", "tab-world", {})
    assert "figures/tab-world.json" in job(regenerate.jobs(), "a").inputs


@pytest.mark.parametrize("code, sentence", [
    ("save_table(frame, name, origin)", "literal strings"),
    ("def broken(:", "code that Python can parse"),
])  # fmt: skip
def test_code_that_hides_its_names_is_refused(book, code, sentence):
    book(a=small_book.notebook(code))
    with pytest.raises(UserError, match=sentence):
        regenerate.jobs()


def test_two_writers_of_one_table_and_a_missing_notebook_are_refused(book):
    folder = book(a=small_book.notebook(SAVES), b=small_book.notebook(SAVES))
    with pytest.raises(UserError, match="two write tab-a"):
        regenerate.jobs()
    (folder / "notebooks" / "b.ipynb").unlink()
    with pytest.raises(UserError, match="there is none"):
        regenerate.jobs()


def test_names_of_chapters_and_figures_are_known_and_others_refused(book):
    book(a=small_book.notebook(SAVES), b=PLAIN)
    table = regenerate.jobs()
    assert [j.name for j in regenerate.select(table, ("tab-a",))] == ["a"]
    assert [j.name for j in regenerate.select(table, ("b", "book"))] == ["b", "book"]
    with pytest.raises(UserError, match="no 'tab-b', but tab-a"):
        regenerate.select(table, ("tab-b",))


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


def test_only_what_changed_runs_again(book, capsys):
    folder = book(a=PLAIN, b=small_book.notebook("# Two", "assert TIER == 'smoke'"))
    regenerate.regenerate(("a", "b"), "smoke", workers=2)
    executed = json.loads((folder / "_build/run/world-smoke/notebooks/a.ipynb").read_text())
    assert executed["cells"][-1]["outputs"][0]["text"] == ["smoke world\n"]
    injected = [cell for cell in executed["cells"] if "injected-parameters" in cell["metadata"].get("tags", [])]
    assert "remove-cell" in injected[0]["metadata"]["tags"], "plumbing is not printed"
    assert str(folder) not in json.dumps(executed), "no path of this machine is printed"
    assert json.loads((folder / "notebooks" / "a.ipynb").read_text()) == json.loads(PLAIN), "the source is never changed"

    table = regenerate.jobs("smoke")
    (folder / "notebooks" / "b.ipynb").touch()
    assert regenerate.plan(table, ("a", "b"), "smoke", "world", False) == {}
    (folder / "notebooks" / "b.ipynb").write_text(small_book.notebook("# Two", "raise ValueError('not today')"))
    assert set(regenerate.plan(table, ("a", "b"), "smoke", "world", False)) == {"b"}
    capsys.readouterr()
    with pytest.raises(UserError, match="b failed, see _build/run/world-smoke/logs/b.txt; b stopped in code cell 3: ValueError: not today"):
        regenerate.regenerate(("a", "b"), "smoke")
    assert "[ 1/1] b failed after" in capsys.readouterr().out
    assert "not today" in (folder / "_build/run/world-smoke/logs/b.ipynb").read_text(), "the failed copy is kept"
    assert not (folder / "_build/run/world-smoke/notebooks/b.ipynb").exists(), "and is not the result"


def test_a_cell_that_hangs_is_stopped(book):
    folder = book(a=small_book.notebook("import time\ntime.sleep(60)"))
    with pytest.raises(Exception, match="timed out"):
        run_notebook(folder / "notebooks/a.ipynb", folder / "out.ipynb", folder / "log.ipynb", {}, seconds_per_cell=1)
    assert not (folder / "out.ipynb").exists()


def test_the_book_is_built_from_what_ran_and_needs_no_network(book):
    cell = 'text: Measured: {num}`tab-a:IPL.FID|.1f`, and {num}`tab-a:share|.0%`.'
    folder = book(a=small_book.notebook("# One", cell))
    small_book.write_record(folder / "figures", "tab-a", {"IPL": {"FID": 1.0}, "share": 0.5})
    small_book.write_record(folder / "_build/run/world-laptop/figures", "tab-a", {"IPL": {"FID": 12.34}, "share": 0.25})
    page = build_book()
    html = (page.parent / "notebooks" / "a.html").read_text()
    assert ">12.3</span>" in html, "the fresh record wins"
    assert "25\N{NARROW NO-BREAK SPACE}%" in html
    assert html.count("const THEBE_JS_URL") <= 1
    assert (page.parent / "_static/mathjax/tex-chtml.js").is_file()
    assert not any(f'src="{scheme}' in html for scheme in ("http://", "https://", "//")), "a script or picture from outside"


def test_a_number_without_a_record_stops_the_build(book, capsys):
    book(a=small_book.notebook("# One", "text: {num}`tab-a:x`"))
    with pytest.raises(UserError, match="without a warning"):
        build_book()
    assert "there is no record tab-a" in capsys.readouterr().err


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


def test_two_runs_at_a_time_are_refused(book):
    book(a=PLAIN)
    with regenerate._only_one_at_a_time(), pytest.raises(UserError, match="another one is running"):
        regenerate.regenerate(("a",), "smoke")
