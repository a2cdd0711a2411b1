"""The printed book: a small one with every kind of thing in it, printed by a real browser."""

import io
import json
import re

import pytest
import small_book
from pypdf import PdfReader

from iplkit.errors import UserError
from iplkit.pdf import browser, make

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><rect width="300" height="200" fill="#0072B2"/></svg>'
WIDE = "|".join(f" column {k} " for k in range(18))
TEXT = f"""text: ## Things
Numbered: {{numref}}`fig-box`, {{eq}}`eq-one`, {{ref}}`ch-one`, 图像, and {{doc}}`../book/intro`.

$$
\\frac{{a}}{{b}} = 1
$$ (eq-one)

```{{figure}} ../figures/box.svg
:name: fig-box
:alt: A box.

**A box.** It is blue.
```

|{WIDE}|
|{"|".join(["--"] * 18)}|
|{"|".join(["123.45"] * 18)}|

:::{{exercise}}
:label: ex-one
How much?
:::

:::{{solution}} ex-one
:class: dropdown
This much.
:::
"""
LONG = "# " + "a very long line of code " * 12


def program():
    try:
        return browser.find()
    except UserError as error:
        pytest.skip(str(error))


def print_or_skip(program):
    """The PDF of the book in this folder; a machine without Chinese characters has no way to print one."""
    try:
        return make.make_pdf(program=program).read_bytes()
    except UserError as error:
        if "needs a font with Chinese characters" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """The PDF of the small book, and the same with code."""
    found = program()
    patch = pytest.MonkeyPatch()
    source = small_book.notebook("text: (ch-one)=\n# One", TEXT, "shown = 1\n" + LONG)
    folder = small_book.make(tmp_path_factory.mktemp("small") / "book", {"a": source})
    (folder / "figures" / "box.svg").write_text(SVG)
    ran = folder / "_build/run/world-laptop/notebooks/a.ipynb"
    ran.parent.mkdir(parents=True)
    ran.write_text(source)
    with patch.context() as here:
        here.chdir(folder)
        first = print_or_skip(found)
        here.setattr(make, "build_book", lambda tier, profile: folder / "_build/stage/_build/html/index.html")
        second = make.make_pdf(program=found, code=True, out=folder / "code.pdf").read_bytes()
    return PdfReader(io.BytesIO(first)), PdfReader(io.BytesIO(second))


def page_with(reader, text):
    return [k for k, page in enumerate(reader.pages, start=1) if text in page.extract_text()]


def test_it_has_a_title_an_author_and_an_outline(printed):
    config = small_book.REPOSITORY / "_config.yml"
    assert f"title: {printed[0].metadata.title}" in config.read_text() and f"author: {printed[0].metadata.author}" in config.read_text()
    titles = json.dumps([entry.title for entry in flat(printed[0].outline)])
    assert "One" in titles and "Things" in titles and "Solutions" in titles


def flat(outline):
    return [each for entry in outline for each in (flat(entry) if isinstance(entry, list) else [entry])]


def test_the_contents_print_the_page_on_which_a_chapter_begins(printed):
    reader, _ = printed
    contents = " ".join(reader.pages[page_with(reader, "Contents")[0] - 1].extract_text().split())
    place = make.page_numbers(written(reader))["notebooks-a"]
    assert re.search(rf"One\W+{place}\b", contents) and "000" not in contents
    assert page_with(reader, "Numbered")[0] == place
    (exercise,), (solution,) = page_with(reader, "How much?"), page_with(reader, "This much.")
    assert re.search(rf"Solution on page {solution}\b", reader.pages[exercise - 1].extract_text())


def written(reader):
    reader.stream.seek(0)
    return reader.stream.read()


def test_numbers_formulas_chinese_and_links_are_there(printed):
    reader, _ = printed
    text = " ".join(page.extract_text() for page in reader.pages)
    assert "Fig. 1" in text and "图像" in text and "\\frac" not in text and "Table" not in text
    (place,) = [k for k in page_with(reader, "Numbered")]
    links = [note.get_object() for note in reader.pages[place - 1]["/Annots"]]
    assert len([link for link in links if link["/Subtype"] == "/Link" and ("/Dest" in link or link["/A"]["/S"] == "/GoTo")]) >= 4


def test_figures_are_drawn_and_not_painted(printed):
    reader, _ = printed
    assert not any(len(page.images) for page in reader.pages)
    (place,) = page_with(reader, "A box.")[-1:]
    assert b" re\n" in reader.pages[place - 1].get_contents().get_data(), "a rectangle is a rectangle"


def test_a_table_that_is_too_wide_turns_its_page(printed):
    reader, _ = printed
    wide = [page for page in reader.pages if page.mediabox.width > page.mediabox.height]
    assert len(wide) == 1 and "column 17" in " ".join(wide[0].extract_text().split())


def test_code_is_printed_only_when_asked_for_and_never_cut(printed):
    plain, code = (" ".join(" ".join(page.extract_text() for page in reader.pages).split()) for reader in printed)
    assert "shown = 1" not in plain and "shown = 1" in code
    assert len(re.findall(r"a\s*very\s*long\s*line\s*of\s*code", code)) == 12


def test_a_missing_or_old_browser_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "build_book", lambda *args: pytest.fail("the book was built"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "NAMES", ("chromium",))
    with pytest.raises(UserError, match="printed by Chromium, Chrome or Edge, version 131 or newer, and none is found"):
        make.make_pdf()
    old = tmp_path / "chromium"
    old.write_text("#!/bin/sh\necho Chromium 99.0.1 built somewhere\n")
    old.chmod(0o755)
    with pytest.raises(UserError, match="'Chromium 99.0.1 built somewhere'"):
        make.make_pdf()
    with pytest.raises(UserError, match="'my-browser' cannot be run"):
        make.make_pdf(program="my-browser")


def test_a_program_that_is_no_browser_is_told_apart_from_one_that_hangs(tmp_path):
    with pytest.raises(UserError, match="the browser needs to answer within 300 s; it ended"):
        browser.Page("/bin/true", tmp_path)


def test_a_chapter_that_has_not_run_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    monkeypatch.chdir(small_book.make(tmp_path / "book", {"a": small_book.notebook("# One")}))
    monkeypatch.setattr(make, "build_book", lambda *args: pytest.fail("the book was built"))
    monkeypatch.setattr(browser, "find", lambda program: "a browser")
    with pytest.raises(UserError, match="notebooks/a did not; run: iplkit regenerate --tier laptop"):
        make.make_pdf()
