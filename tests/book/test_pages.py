"""Pages of the book in a real browser: quiet, narrow enough, readable, and walked through by the Tab key.

The whole book, as it was built, is opened by ``make browse``.
"""

import page_checks
import pytest
from page_checks import DARK, DESKTOP, PHONE_LIGHT, Look
from sample_book import SAMPLE, SHOWN

LOOKS = {look.name: look for look in (DESKTOP, DARK, PHONE_LIGHT)}
NARROW = Look("narrow", 320, 640)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", SHOWN)
def test_nothing_is_wrong_with_a_page(page, address, axe, name, look):
    found = list(page_checks.check(page, address, name, LOOKS[look], axe, keys=look != "dark"))
    assert not found, "\n".join(map(str, found))
    assert len(page.requests) > 10, "the page has loaded its style and its scripts"


def test_every_page_is_one_of_those(book):
    assert page_checks.pages_of(book) == sorted(SHOWN)


def test_the_first_address_leads_to_the_first_page(page, address):
    page.open(address)
    page.until("location.pathname.endsWith('book/intro.html')", seconds=20)


def test_no_page_scrolls_sideways_on_the_narrowest_phone(page, address):
    for name in SHOWN:
        page_checks.show(page, address + name, NARROW)
        assert page_checks.sideways(page, NARROW.width) == [], name


def test_a_note_in_the_margin_is_free_even_where_no_script_runs(page, address):
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page_checks.show(page, f"{address}{SAMPLE}.html", DESKTOP)
        assert page.run("document.querySelectorAll('.bd-article .margin').length") == 1
        assert page_checks.covered(page) == []
    finally:
        page.send("Emulation.setScriptExecutionDisabled", value=False)


def test_a_box_that_scrolls_sideways_takes_the_focus_and_others_do_not(page, address):
    boxes = "document.querySelectorAll('.bd-article [data-scrolls]')"
    page_checks.show(page, f"{address}{SAMPLE}.html", PHONE_LIGHT)
    page.until(f"{boxes}.length > 1")
    assert page.run(f"[...{boxes}].every((box) => box.tabIndex === 0 && box.scrollWidth > box.clientWidth)")
    page.run(f"{boxes}[0].focus()")
    page.key("ArrowRight")
    page.until(f"{boxes}[0].scrollLeft > 0", seconds=20)
    page.window(1280, 900)
    page.until("!document.querySelector('figure[data-scrolls]')", seconds=20)
