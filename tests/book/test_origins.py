"""The line below a caption: made from the record, with links that need no network, in HTML alone."""

import re
from types import SimpleNamespace

import pytest
import small_book
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document
from origins import add_origins, copy_records, line, watch_records

RUN = {"time": "2026-01-02T03:04:05+00:00", "versions": {"python": "3.11", "torch": "2"}, "device": {"machine": "x86_64", "threads": 1}}


@pytest.fixture
def source(tmp_path):
    """The source of a book with the records of a figure and of a table."""
    for name in ("fig-a", "tab-a"):
        path = small_book.write_record(tmp_path / "source" / "figures", name, {"x": 1})
        small_book.seal(path, path.read_text(), **RUN)
    (tmp_path / "source" / "figures" / "fig-a.csv").unlink()
    return tmp_path / "source"


def app(source, form="html"):
    seen = []
    return SimpleNamespace(srcdir=str(source), outdir=str(source.parent / "out"), builder=SimpleNamespace(format=form), env=SimpleNamespace(note_dependency=seen.append), seen=seen)


def page():
    document = new_document("x", get_default_settings())
    document += [nodes.figure("", nodes.image(), nodes.caption("", "A"), names=["fig-a"], ids=["fig-a"]), nodes.table("", names=["tab-a"], ids=["id1"]), nodes.table("", names=["tab-own"])]
    return document


def links(html):
    return re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', html)


def test_the_line_of_a_figure_links_notebook_numbers_and_run(source):
    found = line(source / "figures/fig-a.json", "../")
    assert links(found) == [("../_sources/notebooks/00_one.ipynb", "notebook"), ("../figures/fig-a.json", "numbers"), ("../figures/fig-a.run.json", "run of 2026-01-02")]
    assert 'title="laptop tier, python 3.11, torch 2, x86_64, 1 thread"' in found


def test_the_line_of_a_table_links_its_csv_too(source):
    assert ("figures/tab-a.csv", "CSV") in links(line(source / "figures/tab-a.json", ""))


def test_a_command_is_named_and_not_linked(source):
    small_book.write_record(source / "figures", "tab-a", {}, notebook="iplkit zoo <check>")
    found = line(source / "figures/tab-a.json", "")
    assert "<code>iplkit zoo &lt;check&gt;</code>" in found and "_sources" not in found


def test_the_line_stands_below_every_caption_with_a_record(source):
    document = page()
    add_origins(app(source), document, "notebooks/00_one")
    figure, table, found, own = document.children
    assert isinstance(figure[-1], nodes.legend) and "fig-a.json" in figure[-1].astext()
    assert isinstance(found, nodes.raw) and "../figures/tab-a.json" in found.astext() and isinstance(own, nodes.table)


def test_other_formats_stay_as_they_are(source):
    document = page()
    add_origins(app(source, "latex"), document, "x")
    assert document.pformat() == page().pformat()


def test_a_page_hangs_on_the_records_of_what_it_shows(source):
    book = app(source)
    watch_records(book, page())
    assert [path.rpartition("/")[2] for path in book.seen] == ["fig-a.json", "fig-a.run.json", "tab-a.json", "tab-a.run.json"]


def test_the_records_lie_beside_the_pages_and_gone_ones_go(source):
    book = app(source)
    out = source.parent / "out"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "tab-gone.json").write_text("{}")
    copy_records(book, None)
    assert sorted(path.name for path in (out / "figures").iterdir()) == ["fig-a.json", "fig-a.run.json", "tab-a.csv", "tab-a.json", "tab-a.run.json"]
    assert (out / "figures" / "tab-a.json").read_bytes() == (source / "figures" / "tab-a.json").read_bytes()
