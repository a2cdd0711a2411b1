"""The text of a chapter stays readable where nobody knows the book: JupyterLab, VS Code, Colab."""

import re

import pytest
import yaml
from small_book import REPOSITORY

from iplkit.prose import Page
from iplkit.sources import read_notebook

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
MACROS = yaml.safe_load((REPOSITORY / "_config.yml").read_text())["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"]
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.DOTALL)
ONLY_CODE = {"include"}  # directives that show nothing in a notebook, and may look like code there


def cells(path, kind):
    return [cell for cell in read_notebook(path)["cells"] if cell["cell_type"] == kind]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_a_formula_uses_no_macro_that_only_the_book_defines(notebook):
    for cell in cells(notebook, "markdown"):
        for formula in FORMULA.findall(cell["source"]):
            assert not re.search(rf"\\(?:{'|'.join(MACROS)})(?![A-Za-z])", formula), (cell["id"], formula)


def test_boxes_are_fenced_with_colons_so_that_their_text_is_text(notebook):
    for cell in cells(notebook, "markdown"):
        assert set(re.findall(r"^`{3,}\{([\w-]+)\}", cell["source"], re.MULTILINE)) <= ONLY_CODE, cell["id"]


def test_a_box_with_a_title_is_of_the_kind_that_prints_it(notebook):
    for cell in cells(notebook, "markdown"):
        assert not re.search(r"^:{3,}\{(?:note|warning|important|tip|hint)\} *\S", cell["source"], re.MULTILINE), cell["id"]


def test_a_table_that_the_next_cell_captions_is_shown_to_who_runs_the_notebook(notebook):
    captioned = {name for cell in cells(notebook, "markdown") for name in re.findall(r"^:name: (tab-[\w-]+)$", cell["source"], re.MULTILINE)}
    for cell in cells(notebook, "code"):
        assert not cell["source"].rstrip().endswith(";"), f"{cell['id']} hides what it makes"
        saved = set(re.findall(r"""save_table\([^"']*["'](tab-[\w-]+)""", cell["source"]))
        tags = cell["metadata"].get("tags", [])
        assert ("remove-output" in tags) == bool(saved & captioned), f"{cell['id']}: the page shows a table once, under its caption"


def test_no_section_is_empty_and_no_heading_comes_twice(notebook):
    text = "\n".join(cell["source"] if cell["cell_type"] == "markdown" else "code" for cell in read_notebook(notebook)["cells"])
    lines = [line for line in text.splitlines() if line.strip() and not re.match(r"^\([\w-]+\)=$", line)]
    for line, after in zip(lines, [*lines[1:], "# end"], strict=True):
        level, following = (re.match(r"#*", each)[0] for each in (line, after))
        assert not (level and following and len(following) <= len(level)), f"{line!r} stands above nothing"
    headings = [line for line in lines if line.startswith("#")]
    assert len(headings) == len(set(headings))


def test_a_page_may_speak_of_the_role_of_numbers_without_quoting_one(tmp_path):
    (tmp_path / "a.md").write_text("Here `{num}` and `{doc}` are roles; {num}`tab-a:b.c|.1f` is a number.")
    assert Page(tmp_path / "a.md").quoted() == [("tab-a", "b.c")]
