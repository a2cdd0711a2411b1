"""What every page of the book must hold in a browser; each check returns what is wrong, in words.

`iplkit` itself does not need this; the tests and ``bench/browse.py`` do.
"""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from browser import Page

SERIOUS = ("serious", "critical")
PHONE = 390  # CSS pixels
REDIRECT = 'http-equiv="Refresh"'
STILL = """(() => { const style = document.createElement("style");
  style.textContent = "*, ::before, ::after { transition: none !important; animation: none !important; scroll-behavior: auto !important; }";
  document.head.append(style); })()"""


@dataclass(frozen=True)
class Look:
    """How a page is looked at: the window's size, and what the reader prefers."""

    name: str
    width: int
    height: int
    dark: bool = False

    @property
    def phone(self) -> bool:
        """Whether a finger is used."""
        return self.width < 600


DESKTOP, DARK, PHONE_LIGHT = Look("desktop", 1280, 900), Look("dark", 1280, 900, dark=True), Look("phone", PHONE, 844)
LOOKS = (DESKTOP, DARK, PHONE_LIGHT)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong on one page."""

    page: str
    look: str
    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.page} ({self.look}) {self.check}: {self.text}"


def pages_of(folder: Path) -> list[str]:
    """Every page of a built book, from its top folder; parts of the theme, and what only leads to another page, are none."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*.html") if REDIRECT not in path.read_text(encoding="utf-8")[:300])
    return sorted(name for name in found if not name.startswith("_"))


def show(page: Page, address: str, look: Look) -> None:
    """Open an address as a reader with this look sees it."""
    page.window(look.width, look.height, phone=look.phone, dark=look.dark)
    page.open(address)


def settle(page: Page, look: Look) -> None:
    """Stop what moves, so that what is judged is what stays."""
    page.run(STILL)
    page.until("document.documentElement.dataset.theme === " + json.dumps("dark" if look.dark else "light"))


def complaints(page: Page) -> list[str]:
    """Errors and warnings in the console, scripts that failed, and files that were not found."""
    return list(page.complaints)


def outside(page: Page, address: str) -> list[str]:
    """Requests that left the host."""
    return page.outside(address)


def sideways(page: Page, width: int) -> list[str]:
    """What makes the page wider than the window, CSS pixels; a box that scrolls by itself does not.

    The window's own word for its width is not asked: on a phone it grows with the page.
    """
    found = page.run("document.documentElement.scrollWidth")
    return [f"{found} px in a window of {width}: {'; '.join(page.run(f'({WIDE})({width})'))}"] if found > width else []


WIDE = """(width) => {
  const scrolls = (e) => e && e !== document.body && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
  const wide = (e) => e.getBoundingClientRect().right + scrollX > width + 1 && !scrolls(e.parentElement);
  const found = [...document.querySelectorAll(".bd-article *")].filter((e) => wide(e) && ![...e.children].some(wide));
  return found.slice(0, 3).map((e) => e.outerHTML.slice(0, 120).replace(/\\s+/g, " ")); }"""


def axe_script() -> Path | None:
    """axe-core's script, from the Python package that carries it, or None. Only the file is used, not the package."""
    spec = importlib.util.find_spec("axe_playwright_python")
    path = Path(spec.origin).parent / "axe.min.js" if spec and spec.origin else None
    return path if path and path.is_file() else None


def axe(page: Page, script: Path) -> dict:
    """Run the rules of axe-core that are on by default, and those of `MORE_RULES`.

    Returns:
        ``version``; ``rules``, the names of those that found something to look at; and ``violations``, each with ``rule``,
        ``impact``, ``where`` and ``what``.
    """
    page.run(script.read_text(encoding="utf-8") + ";0")
    return page.run(f"{AXE}.then((found) => window.axeFound = found)")


MORE_RULES = ("label-content-name-mismatch", "target-size")
AXE = """axe.run(document, { resultTypes: ["violations"], rules: RULES }).then((r) => ({
  version: r.testEngine.version,
  rules: [...r.violations, ...r.passes, ...r.incomplete].map((v) => v.id),
  violations: r.violations.flatMap((v) => v.nodes.map((n) => ({
    rule: v.id, impact: v.impact, where: n.target.join(" "), what: n.failureSummary.replace(/\\s+/g, " ") }))) }))"""
AXE = AXE.replace("RULES", json.dumps({rule: {"enabled": True} for rule in MORE_RULES}))


def serious(found: dict) -> list[str]:
    """The violations that keep somebody from reading, in words."""
    return [f"{v['rule']} at {v['where']}: {v['what'][:200]}" for v in found["violations"] if v["impact"] in SERIOUS]


def keyboard(page: Page) -> list[str]:
    """Controls that the Tab key does not reach, or whose focus cannot be seen."""
    page.run(WATCH)
    for _ in range(MOST_TABS // TABS):
        for _ in range(TABS):
            page.key("Tab")
        if page.run("window.focusWatch.round"):
            break
    missed, unseen = page.run(MISSED)
    return [f"Tab does not reach {what}" for what in missed] + [f"the focus is not seen on {what}" for what in unseen]


TABS, MOST_TABS = 20, 1000  # at a time; and in all, if the focus never comes round
WATCH = """(() => {
  const marks = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "backgroundColor"];
  const look = (e) => [null, "::before", "::after"].flatMap((part) => marks.map((m) => getComputedStyle(e, part)[m]));
  const all = (e) => [e, e.parentElement, ...(e.labels || [])].filter(Boolean).map(look).join("|");
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getClientRects().length > 0;
  const wanted = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable], [role=button]";
  document.activeElement.blur();
  const before = new Map([...document.querySelectorAll(wanted)].map((e) => [e, all(e)]));
  const controls = [...before.keys()].filter((e) => shown(e) && !e.disabled && e.tabIndex >= 0 && !e.closest("[inert]"));
  const watch = window.focusWatch = { controls, reached: new Set(), unseen: new Set(), first: null, round: false };
  scrollTo(0, 0);
  document.addEventListener("focusin", (event) => {
    const e = event.target, box = e.getBoundingClientRect();
    watch.round ||= e === watch.first && watch.reached.size > 1;
    watch.first ||= e;
    watch.reached.add(e);
    const change = before.has(e) ? before.get(e) !== all(e) : getComputedStyle(e).outlineStyle !== "none";
    const place = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    if (!shown(e) || !change || !place) watch.unseen.add(e);
  });
})()"""
MISSED = """(() => { const name = (e) => e.outerHTML.slice(0, 120).replace(/\\s+/g, " ");
  const { controls, reached, unseen } = window.focusWatch;
  document.activeElement.blur();
  scrollTo(0, 0);
  return [controls.filter((e) => !reached.has(e)).map(name), [...unseen].map(name)]; })()"""


def covered(page: Page) -> list[str]:
    """Notes and pictures in the margin on which something else lies, with the page at its top; asked before anything settles."""
    return page.run(COVERED)


COVERED = """(() => { scrollTo(0, 0); const found = [];
  for (const e of document.querySelectorAll(".bd-article :is(.margin, .sidenote, .marginnote, .full-width)")) {
    const box = e.getBoundingClientRect();
    for (let k = 1; k < 12; k++) {
      const y = box.top + box.height * k / 12, top = y < innerHeight && document.elementFromPoint(box.left + box.width / 2, y);
      if (top && !e.contains(top) && !top.contains(e)) { found.push(`${e.textContent.trim().slice(0, 40)} lies under ${top.outerHTML.slice(0, 60)}`); break; }
    }
  }
  return found; })()"""


def check(page: Page, address: str, name: str, look: Look, script: Path | None, *, keys: bool) -> Iterator[Finding]:
    """Open one page in one look and yield what is wrong.

    Args:
        page: the browser.
        address: of the book; ends with a slash.
        name: of the page.
        look: how it is looked at.
        script: axe-core, or None to leave that check out.
        keys: whether the Tab key walks through the page.
    """

    def found(kind: str, texts: list[str]) -> Iterator[Finding]:
        for text in texts:
            yield Finding(name, look.name, kind, text)

    show(page, address + name, look)
    if not look.phone:
        yield from found("covered", covered(page))
    settle(page, look)
    yield from found("too wide", sideways(page, look.width))
    if keys:
        yield from found("keyboard", keyboard(page))
    yield from found("console", complaints(page))
    yield from found("outside request", [urlsplit(url).netloc + urlsplit(url).path for url in outside(page, address)])
    if script:  # last: it fetches style sheets itself, and looks for some in the wrong folder
        yield from found("axe", serious(axe(page, script)))
