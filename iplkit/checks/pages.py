"""Pages against records: quoted numbers, typed numbers, captions, alt texts, and who makes what."""

from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, again, relative
from iplkit.exhibits import Exhibit, exhibits
from iplkit.prose import Page, look_up
from iplkit.sources import names_written

BY_HAND = "take it from a record with the role num, or mark what was not measured here with the role given"


def check_pages(pages: list[Path], records: dict[Path, dict], report: Report) -> None:
    """What each page says, quotes and shows."""
    by_name = {record["name"]: record for record in records.values()}
    for path in pages:
        report.checked += 1
        page, where = Page(path), relative(path)
        report.wrong += [f"{where}: {problem}" for quote in page.quoted() if (problem := _quote(*quote, by_name))]
        report.wrong += [f"{where}: a number is typed by hand: ... {text} ...; {BY_HAND}" for text in page.typed_by_hand()]
        report.wrong += [f"{where}: a block begins with a backtick in its title: {title[:60]}; open it with colons" for title in page.broken_blocks()]
        report.wrong += [f"{where}: {picture} has no alt text; say in words what it shows" for picture in page.without_alt()]
        report.wrong += [f"{where}: {problem}" for found in exhibits(path) if (problem := _exhibit(found, by_name))]


def check_chapters(pages: list[Path], records: dict[Path, dict], report: Report) -> None:
    """Every figure that a chapter makes is printed, and every printed one is made by the chapter that its record names."""
    makers = {name: page for page in pages if page.suffix == ".ipynb" for name in names_written(page)}
    there = {path.stem for path in (paths.root() / "figures").glob("*.json")}  # damaged ones have their own sentence
    for name, page in makers.items():
        if name not in there:
            report.wrong.append(f"{relative(page)}: makes {name}, which is not printed; run iplkit regenerate {page.stem} --keep")
    for path, record in records.items():
        maker = makers.get(record["name"])
        if maker is not None and record["notebook"] != relative(maker):
            report.wrong.append(f"{relative(path)}: says that {record['notebook']} made it, but {relative(maker)} does; restore it, or run iplkit regenerate {maker.stem} --keep")
        elif maker is None and record["notebook"].endswith(".ipynb"):
            report.wrong.append(f"{relative(path)}: says that {record['notebook']} made it, which makes no {record['name']}; give it its own name back, or delete it")


def _quote(name: str, key: str, by_name: dict[str, dict]) -> str:
    if name not in by_name:
        return f"quotes {name}, which has no record in order; restore that, or correct the name"
    if not isinstance(look_up(by_name[name]["numbers"], key), bool | int | float | str):
        return f"quotes {key} of {name}, which its record does not hold; correct the key, or record the number in {by_name[name]['notebook']}"
    return ""


def _exhibit(found: Exhibit, by_name: dict[str, dict]) -> str:
    """What is wrong with one figure or table of a page; empty if nothing is."""
    if not found.shows:
        return f"prints {found.label} as a copy; include ../figures/{found.label}.md" if found.label in by_name else ""
    if found.label != found.shows:
        return f"shows {found.shows} under the name {found.label or 'of nothing'}; correct one of them"
    if not found.caption:
        return f"{found.shows} has no caption; write one"
    if (record := by_name.get(found.shows)) is None:
        return "" if found.page.suffix == ".ipynb" and found.alt is not None else f"shows {found.shows}, which has no record in order; restore it, or make it"
    changed = [word for word, now, then in (("caption", found.caption, record["caption"]), ("alt text", found.alt, record["alt"])) if now != then]
    if changed and _owner_of_words(found, by_name):
        return f"{found.shows} has the {changed[0]} of {_owner_of_words(found, by_name)}; put each below its own"
    return f"{found.shows} has another {' and '.join(changed)} than it was printed with; undo that, or {again(record)}" if changed else ""


def _owner_of_words(found: Exhibit, by_name: dict[str, dict]) -> str:
    """The figure or table that was printed with this caption or alt text, if it is another one."""
    return next((name for name, r in by_name.items() if name != found.shows and (r["caption"] == found.caption or (found.alt and r["alt"] == found.alt))), "")
