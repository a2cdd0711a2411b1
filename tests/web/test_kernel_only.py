"""A page never shows a control that needs a kernel: what runs for the page has frames instead, and nothing else gets through."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
import small_book
import torch
from small_book import REPOSITORY

from iplkit.errors import UserError
from iplkit.execute import NEEDS_KERNEL, run_notebook
from iplkit.filmstrip import filmstrip
from iplkit.stage import stage
from iplkit.web.kernel_only import WIDGET, kernel_only
from iplkit.web.notebook import LivePage
from iplkit.widgets import sliders

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
SLIDERS = 'import torch\nfrom iplkit.widgets import sliders\nsliders(lambda v: torch.full((1, 3, 2, 2), v["a"]), ["a"], low=-1, high=1, alt="x").show(OUT == "")'
BARE = "import ipywidgets\nipywidgets.IntSlider()"


def shown(data: dict) -> dict:
    return {"cells": [{"id": "one", "cell_type": "code", "outputs": [{"output_type": "display_data", "data": data}]}]}


def test_a_widget_or_a_bare_control_is_found_and_frames_are_not():
    strip = filmstrip({"": [("a", torch.zeros(3, 2, 2)), ("b", torch.ones(3, 2, 2))]}, alt="x")
    assert kernel_only(shown({WIDGET: {"model_id": "1"}})) == ["one"]
    assert kernel_only(shown({"text/html": ["<div><INPUT type=range>", "</div>"]})) == ["one"]
    assert kernel_only(shown({"text/html": strip._repr_html_()})) == []
    assert kernel_only(shown({"text/html": LivePage(strip, "x")._repr_html_()})) == []
    assert kernel_only(shown({"text/html": NEEDS_KERNEL, "image/png": "1"})) == []


def test_a_run_for_the_page_has_frames_and_a_widget_without_frames_becomes_a_sentence(tmp_path):
    notebook = tmp_path / "one.ipynb"
    notebook.write_text(small_book.notebook(SLIDERS, BARE))
    run_notebook(notebook, tmp_path / "done.ipynb", tmp_path / "log.ipynb", {"PROFILE": "world", "TIER": "smoke", "OUT": str(tmp_path)}, 300)
    page = nbformat.read(tmp_path / "done.ipynb", as_version=4)
    frames, bare = ("".join(page.cells[k].outputs[0]["data"]["text/html"]) for k in (-2, -1))
    assert frames.startswith('<div class="filmstrip"') and bare == NEEDS_KERNEL
    assert kernel_only(page) == [] and "widgets" not in page.metadata


def test_the_frames_of_a_page_are_the_same_bytes_again():
    define = sliders(lambda values: torch.full((1, 3, 2, 2), values["a"]), ["a"], low=-1, high=1, alt="x")
    assert define.show(False)._repr_html_() == define.show(False)._repr_html_()


def test_a_book_with_a_dead_control_is_not_staged(tmp_path, monkeypatch):
    notebook = json.loads(small_book.notebook("# A title", "1"))
    notebook["cells"][-1]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {WIDGET: {}}}]
    monkeypatch.chdir(small_book.make(tmp_path / "book", {"00_one": json.dumps(notebook)}))
    with pytest.raises(UserError, match=r"work without a kernel; notebooks/00_one.ipynb shows others in cell cell-2"):
        stage("laptop", "world")


def names_of(call: ast.Call) -> str:
    return ast.unparse(call.func).split(".")[-1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_leaves_the_choice_of_widgets_or_frames_to_one_place(path: Path):
    """Widgets only through `show(by_hand)`, where by_hand says that nobody told the notebook where to put files."""
    code = "\n".join(cell["source"] for cell in nbformat.read(path, as_version=4).cells if cell["cell_type"] == "code")
    tree = ast.parse(code)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert "ipywidgets" not in imported and "widget" not in map(names_of, calls)
    if imported & {"iplkit.widgets", "iplkit.web.notebook"}:
        shows = [call for call in calls if names_of(call) == "show"]
        assert shows and all(ast.unparse(call.args[0]) == "by_hand" for call in shows)
        assert "by_hand = OUT == ''" in [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Assign)]
