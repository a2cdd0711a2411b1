"""A page that is opened as a file asks for nothing that a browser refuses there."""

import importlib.util
from types import SimpleNamespace

from small_book import REPOSITORY

HEAD = '<head>\n<link rel="stylesheet" href="a.css" />\n  <link rel="preload" as="font" type="font/woff2" crossorigin href="a.woff2" />\n<link rel="preload" as="font" href="b.woff2" /></head>'


def extension():
    spec = importlib.util.spec_from_file_location("opened_as_file", REPOSITORY / "book" / "_ext" / "opened_as_file.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_preloaded_fonts_are_taken_out_of_every_page_and_nothing_else_is(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("index.html", "notebooks/one.html"):
        (tmp_path / name).write_text(HEAD)
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=str(tmp_path))
    extension().drop_font_preloads(app, None)
    for name in ("index.html", "notebooks/one.html"):
        assert (tmp_path / name).read_text() == '<head>\n<link rel="stylesheet" href="a.css" /></head>'


def test_a_printed_book_and_a_failed_build_are_left_alone(tmp_path):
    (tmp_path / "index.html").write_text(HEAD)
    for kind, error in (("latex", None), ("html", ValueError())):
        extension().drop_font_preloads(SimpleNamespace(builder=SimpleNamespace(format=kind), outdir=str(tmp_path)), error)
    assert (tmp_path / "index.html").read_text() == HEAD
