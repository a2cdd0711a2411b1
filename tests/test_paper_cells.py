"""What a notebook leaves out with other models than the world's, cell by cell."""

import ast

import pytest

from iplkit.errors import NotHere
from iplkit.paper_cells import HOOK, PaperCells
from iplkit.world import render as drawing


class Notebook:
    """Runs cells as IPython does: transformed, one after the other, in one namespace."""

    def __init__(self, pictures=False):
        self.cells, self.saved = PaperCells(pictures), []
        self.names = {HOOK: self.cells, "PROFILE": "paper", "NotHere": NotHere, "save_figure": self.saved.append, "new_figure": lambda: "fig"}
        self.cells.names = self.names

    def run(self, source):
        """Run a cell; returns the value of its last line."""
        module = self.cells.visit(ast.parse(source))
        last = module.body.pop() if isinstance(module.body[-1], ast.Expr) else None
        exec(compile(module, "cell", "exec"), self.names)
        return eval(compile(ast.Expression(last.value), "cell", "eval"), self.names) if last else None


@pytest.fixture
def notebook():
    return Notebook()


def test_what_needs_true_pictures_is_left_out_and_what_hangs_on_it(notebook, capsys):
    notebook.run("from iplkit.world.render import DOMAINS, render\nx = render(1)\ny = 2\nz = x + y\nn = len(DOMAINS)")
    assert notebook.names["y"] == 2 and notebook.names["n"] == 14 and not {"x", "z"} & notebook.names.keys()
    assert capsys.readouterr().out == "Left out with these models: x; only the world has true pictures and factors (render).\n", "one sentence a reason"
    notebook.run("def truth(k):\n    return render(k)\nz = 5")
    assert "truth" not in notebook.names and notebook.run("z") == 5 and notebook.run("truth(1)") is None


def test_names_that_were_imported_before_count(notebook):
    notebook.names["true"] = drawing.render
    notebook.cells.learn_imports(notebook.names)
    notebook.run("pictures = true(3)")
    assert "pictures" not in notebook.names


def test_a_name_made_again_is_there_again_and_a_local_one_is_another(notebook):
    notebook.run("from iplkit.world.render import render\nx = render(1)")
    notebook.run("def f(x):\n    return x\na = f(1)\nb = [x for x in range(2)]")
    assert notebook.names["a"] == 1 and notebook.names["b"] == [0, 1]
    notebook.run("x = 4\nw = x")
    assert notebook.names["w"] == 4


def test_a_figure_with_a_part_left_out_is_not_drawn_but_its_other_work_is_done(notebook, capsys):
    notebook.run("from iplkit.world.render import render")
    notebook.run("fig = new_figure()\nu = 3\nrows = []\nrows += [render(1)]\nsave_figure(fig)")
    assert notebook.saved == [] and notebook.names["u"] == 3 and notebook.names["rows"] == []
    assert capsys.readouterr().out.count("this figure; only the world") == 1
    notebook.run("fig = new_figure()\nsave_figure(fig)")
    assert notebook.saved == ["fig"]


def test_what_says_that_it_is_not_here_is_left_out_when_it_runs(notebook, capsys):
    notebook.run("def ask():\n    raise NotHere('nobody knows')\na = 1\nb = ask()\nsave_figure(a)")
    assert notebook.saved == [] and "nobody knows" in capsys.readouterr().out
    assert notebook.run("ask()") is None
    with pytest.raises(ZeroDivisionError):
        notebook.run("1 / 0")


def test_generators_adapted_from_the_worlds_are_left_out_and_what_was_there_stays(notebook):
    notebook.run("adapted = {'sketch': 1}\nadapted |= {'disney': zoo.adapted('nada-disney')}\nn = len(adapted)")
    assert notebook.names["n"] == 1


def test_what_a_left_out_loop_would_have_filled_is_missing_or_partial(notebook, capsys):
    notebook.run("from iplkit.world.render import render\nnone, some = {}, {'a': 1}\nfor k in 'bc':\n    none[k] = some[k] = render(k)")
    notebook.run("n = len(none)\nm = len(some)\nb = some['b']\nc = b + 1")
    assert notebook.names["m"] == 1 and not {"n", "b", "c"} & notebook.names.keys()
    with pytest.raises(KeyError):
        notebook.run("other = {}\nother['b']")


def test_what_stands_under_the_worlds_profile_asks_for_nothing(notebook):
    notebook.run("from iplkit.world.render import render\nrows = [1]\nif PROFILE == 'world':\n    rows.append(render(1))\nn = len(rows)")
    assert notebook.names["n"] == 1


def test_pictures_of_the_world_are_let_through_where_they_are_only_pictures():
    notebook = Notebook(pictures=True)
    notebook.run("from iplkit.world.factors import NAMES, sample_factors\nimport torch\nx = sample_factors(2, torch.Generator())")
    assert notebook.names["x"].shape == (2, len(notebook.names["NAMES"]))


def test_a_finding_that_does_not_hold_is_printed_and_stops_nothing(notebook, capsys):
    notebook.run("for k in (1, 2):\n    assert k < 2, 'all are small'\nassert k == 1\nlast = True")
    assert capsys.readouterr().out == "Not so with these models: all are small.\nNot so with these models: k == 1.\n"
    assert notebook.names["last"]
