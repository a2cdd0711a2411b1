"""The checks see what is wrong: each is given a page with that fault, and only with it."""

import browser
import page_checks
import pytest
from page_checks import DESKTOP, PHONE_LIGHT

STYLE = "<style>a, button { outline: none; } :is(a, button):focus-visible { outline: 3px solid; } p { margin: 1rem; }</style>"
HEAD = '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>T</title>'
GOOD = '<main class="bd-article"><h1>A page</h1><p>Words and <a href="#a" id="a">a link</a>.</p></main>'
FAULTS = {
    "console": ("<script>undefined.name</script>", "desktop", "TypeError"),
    "outside request": ('<img alt="far" src="http://127.0.0.1:9/far.png" width="1" height="1">', "desktop", "127.0.0.1:9/far.png"),
    "too wide": ('<div class="bd-article"><p style="width: 700px">wide</p></div>', "phone", "700px"),
    "axe": ('<main><p style="color: #ccc; background: #fff">pale</p></main>', "desktop", "color-contrast"),
    "keyboard": ('<main><button style="outline: none; box-shadow: none; border: 0" id="dim">dim</button></main>', "desktop", "not seen on"),
    "covered": (
        '<article class="bd-article"><aside class="margin" style="width: 9rem">a note</aside></article><div style="position: fixed; inset: 0; opacity: .1"></div>',
        "desktop", "a note lies under",
    ),  # fmt: skip
}
LOOKS = {"desktop": DESKTOP, "phone": PHONE_LIGHT}


def findings(page, folder, axe, body, look):
    (folder / "page.html").write_text(f"{HEAD}<link rel='icon' href='data:,'>{STYLE}<body>{body}")
    with browser.serve(folder) as address:
        return list(page_checks.check(page, address, "page.html", look, axe, keys=True))


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_found_on_a_good_page(page, tmp_path, axe, look):
    assert findings(page, tmp_path, axe, GOOD, LOOKS[look]) == []


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_found(page, tmp_path, axe, kind):
    body, look, word = FAULTS[kind]
    found = [f for f in findings(page, tmp_path, axe, body, LOOKS[look]) if f.check == kind]
    assert found and word in str(found[0]), found


def test_a_control_that_the_tab_key_skips_is_found(page, tmp_path, axe):
    trap = '<main><button onkeydown="event.key === \'Tab\' && event.preventDefault()">trap</button> <a href="#x" id="x">behind it</a></main>'
    found = [str(f) for f in findings(page, tmp_path, axe, trap, DESKTOP)]
    assert any("Tab does not reach" in text and "behind it" in text for text in found), found


def test_a_control_that_is_focused_outside_the_window_is_found(page, tmp_path, axe):
    hidden = '<main><p>Words.</p><a href="#x" style="position: fixed; left: -500px">gone</a></main>'
    assert any("not seen on" in str(f) and "gone" in str(f) for f in findings(page, tmp_path, axe, hidden, DESKTOP))
