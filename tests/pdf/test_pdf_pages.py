"""Pages for paper: what needs a screen is replaced, ids stay unique, links stay links."""

import base64
import io

import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from iplkit.filmstrip import filmstrip
from iplkit.pdf.assemble import Chapter, for_paper, read_chapters
from iplkit.pdf.document import document

CONFIG = {"title": "A book", "author": "Somebody", "copyright": "2026"}
KNOWN = {"book/intro": "book-intro", "notebooks/a": "notebooks-a"}
CODE = '<div class="cell"><details class="hide"><summary>Show</summary><pre>hidden = 1</pre></details><div class="cell_input"><pre>shown = 1</pre></div>{}</div>'


def chapter(body, name="notebooks/a", heading="1. One"):
    html = f'<article><section id="one"><h1>{heading}<a class="headerlink" href="#one">#</a></h1>{body}</section></article>'
    return Chapter(name, "", BeautifulSoup(html, "html.parser").article)


def on_paper(body, code=False, sure=True):
    made = chapter(body)
    for_paper(made, KNOWN, code, sure)
    return made.article


def test_pages_come_in_the_order_of_the_contents_with_the_caption_of_their_part(tmp_path):
    for name in ("i", "b", "c"):
        (tmp_path / f"{name}.html").write_text(f'<nav/><article class="bd-article"><h1>{name}</h1></article>')
    found = read_chapters(tmp_path, {"root": "i", "parts": [{"caption": "Part", "chapters": [{"file": "c"}, {"file": "b"}]}]})
    assert [(c.name, c.part, c.title) for c in found] == [("i", "", "i"), ("c", "Part", "c"), ("b", "", "b")]


@pytest.mark.parametrize("href, wanted", [
    ("#here", "#notebooks-a--here"), ("../book/intro.html#there", "#book-intro--there"), ("../book/intro.html", "#book-intro"), ("https://x.y/z#a", "https://x.y/z#a"),
])  # fmt: skip
def test_a_link_leads_to_its_place_in_the_one_page(href, wanted):
    assert on_paper(f'<p><a href="{href}">x</a></p>').p.a["href"] == wanted


def test_a_link_to_a_page_that_is_not_printed_becomes_text():
    article = on_paper('<p><a href="../genindex.html">the index</a></p>')
    assert article.p.a is None and article.p.text == "the index"


def test_ids_and_pictures_are_those_of_the_whole_book():
    article = on_paper('<figure id="fig-x"><img src="../_images/x.svg"/></figure>')
    assert article.figure["id"] == "notebooks-a--fig-x" and article.img["src"] == "_images/x.svg"


def test_code_is_left_out_with_what_only_its_reader_understands_and_what_it_printed_is_kept():
    outputs = '<div class="cell_output"><div class="output text_plain">(3, 4)</div><div class="output stream">7 of 8</div></div>'
    text = on_paper(CODE.format(outputs)).text
    assert "7 of 8" in text and not any(word in text for word in ("shown", "hidden", "Show", "(3, 4)"))
    text = on_paper(CODE.format(outputs), code=True).text
    assert "shown = 1" in text and "(3, 4)" in text and "hidden" not in text, "what the page folds is never printed"


def test_a_cell_that_asks_the_reader_for_an_answer_is_left_out():
    cells = '<div class="cell tag_answer"><pre>x = None</pre></div><div class="cell tag_answer-check"><div class="cell_output">No answer yet.</div></div>'
    assert on_paper(cells, code=True).select(".cell") == []


@pytest.mark.parametrize("sure, held", [(True, True), (False, False)])
def test_a_check_without_its_code_says_how_much_was_asserted(sure, held):
    cell = '<div class="cell"><div class="cell_input"><pre>assert a, "b"\nif c:\n    assert d\nasserted = 1</pre></div></div>'
    text = on_paper(f'<section id="check"><h2>1.1. Check</h2>{cell}</section>', sure=sure).text
    assert "2 assertions" in text and ("passed all of them" in text) == held


def test_a_strip_behind_a_slider_is_unrolled():
    shades = {name: torch.full((3, 2, 2), value) for name, value in (("one", -1.0), ("two <", 0.2), ("three", 1.0))}
    strip = filmstrip({"up": list(shades.items()), "down": list(shades.items())[:0:-1]}, alt="x", scale=4)._repr_html_()
    article = on_paper(strip)
    frames = [Image.open(io.BytesIO(base64.b64decode(img["src"].split(",")[1]))) for img in article.select(".frames img")]
    assert [frame.size for frame in frames] == [(2, 2)] * 5 and [frame.getpixel((0, 0))[0] for frame in frames] == [0, 153, 255, 255, 153]
    assert [small.text for small in article.select("small")] == ["one", "two <", "three", "three", "two <"]
    assert [p.text for p in article.select(".frames > p")][1:] == ["up", "down"]
    assert "slider" in article.text
    assert "generator itself runs" in on_paper(f'<div class="live">{strip}<p class="live-offer">Start</p></div>').text


def test_folded_text_is_unfolded_and_an_empty_section_is_gone():
    article = on_paper('<details><summary>All</summary><p>Words</p></details><section id="e"><h2>List</h2><div class="toctree-wrapper">x</div></section>')
    assert article.select_one("p.unfolded").text == "All" and "Words" in article.text and "List" not in article.text


def test_a_caption_ends_with_the_name_by_which_the_figure_can_be_made_again():
    caption = '<figcaption><span class="caption-text">A claim.</span><p class="origin">notebook</p></figcaption>'
    article = on_paper(f'<figure id="fig-x">{caption}</figure><figure id="id3">{caption}</figure>')
    assert [figure.text for figure in article.select("figure")] == ["A claim. fig-x", "A claim."]


def test_the_names_of_a_term_stay_with_its_meaning():
    article = on_paper('<dl class="glossary"><dt>a</dt><dt>b</dt><dd>ab</dd><dt>c</dt><dd>cc</dd></dl>')
    assert [entry.text for entry in article.select("dl > .entry")] == ["abab", "ccc"] and len(article.dl.find_all(recursive=False)) == 2


def test_a_comma_and_a_bracket_stay_on_the_line_of_their_formula():
    article = on_paper('<p>Let (<span class="math">x</span>), then <span class="math">y</span> and <span class="math">z</span>; go</p>')
    assert [box.text for box in article.select(".tight")] == ["(x),", "z;"] and article.p.text == "Let (x), then y and z; go"


def test_solutions_move_to_the_end_and_are_found_from_both_sides():
    exercise = '<div class="exercise" id="ex-a"><p class="admonition-title"><span class="caption-number">Exercise 1.1 </span></p></div>'
    solution = '<div class="solution" id="s"><p class="admonition-title">Solution</p><p>42</p></div>'
    chapters = [chapter("<p>Hello</p>", "book/intro", "A book"), chapter(exercise + solution)]
    for each in chapters:
        for_paper(each, KNOWN, False, True)
    page = BeautifulSoup(document(chapters, CONFIG, "edition", ""), "html.parser")
    assert "42" not in page.select_one(".notebooks-a").text and "42" in page.select_one("#solutions").text
    assert page.select_one(".exercise .where a")["href"] == "#notebooks-a--s"
    assert page.select_one("#solutions .admonition-title a")["href"] == "#notebooks-a--ex-a"
    assert page.select_one("#solutions .admonition-title").text == "Exercise 1.1"


def test_the_contents_name_every_chapter_and_the_lists_every_claim():
    body = '<section id="s"><h2>1.1. Predict</h2><p>x</p></section><section id="t"><h2>1.2. Thing</h2><p>y</p></section>'
    body += '<figure id="f"><span class="caption-number">Fig. 1.1</span><span class="caption-text"><strong>A claim.</strong> More.</span></figure>'
    chapters = [chapter("<p>Hello</p>", "book/intro", "A book"), chapter(body)]
    for each in chapters:
        for_paper(each, KNOWN, False, True)
    page = BeautifulSoup(document(chapters, CONFIG, "edition", ""), "html.parser")
    assert [line.span.text for line in page.select("nav .line")] == ["Preface", "1. One", "1.2. Thing", "Fig. 1.1  A claim"]
    assert page.select_one("header").h1.text == "A book" and page.title.text == "A book"
