"""Print the book: build its pages, put them together, let a browser set them, and fill in the page numbers."""

import io
import json
import logging
import shutil
import tempfile
from pathlib import Path

import matplotlib
import yaml
from pypdf import PdfReader, PdfWriter

from iplkit import paths
from iplkit.errors import UserError
from iplkit.pdf import browser
from iplkit.pdf.assemble import for_paper, formulas, read_chapters
from iplkit.pdf.document import document
from iplkit.records import commit
from iplkit.stage import build_book
from iplkit.weights import atomic_path

FONTS = ("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "STIXGeneralBolIta", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique")
logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of a count that Chromium writes too low
PASSES = 4  # a page number that turns out wider can move the text behind it


def make_pdf(tier: str = "laptop", profile: str = "world", code: bool = False, program: str = "", out: Path | None = None) -> Path:
    """Build the book and print it.

    Args:
        tier, profile: which run is printed.
        code: print the code that the pages show unfolded, too.
        program: the browser; empty: the first one found.
        out: the PDF's file; default ``_build/thesis.pdf``.

    Returns:
        The PDF's file.

    Raises:
        UserError: if there is no browser that can do it, or a chapter has not run (both checked first), or something
            does not fit on paper.
    """
    program = browser.find(program)
    toc = yaml.safe_load((paths.root() / "_toc.yml").read_text(encoding="utf-8"))
    refuse_gaps(toc, tier, profile)
    out = out or paths.root() / "_build" / "thesis.pdf"
    html = build_book(tier, profile).parent
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), html, toc, code, tier)
        pdf = print_pages(program, Path(folder))
    with atomic_path(out) as temporary:
        temporary.write_bytes(pdf)
    return out


def refuse_gaps(toc: dict, tier: str, profile: str) -> None:
    """Refuse a book with chapters that have not run: they have no figures.

    Raises:
        UserError: with their names.
    """
    names = [entry["file"] for part in toc.get("parts", []) for entry in part["chapters"] if entry["file"].startswith("notebooks/")]
    missing = [name for name in names if not (paths.run_folder(tier, profile) / f"{name}.ipynb").is_file()]
    if missing:
        raise UserError(f"the PDF needs every chapter to have run at the {tier} tier, and {', '.join(missing)} did not; run: iplkit regenerate --tier {tier}")


def lay_out(folder: Path, html: Path, toc: dict, code: bool, tier: str) -> None:
    """Write what the browser reads: the book as one page, with its style, fonts and pictures beside it.

    Args:
        folder: an empty folder.
        html: the built pages.
        toc: what ``_toc.yml`` says.
        code, tier: see `make_pdf`.
    """
    config = yaml.safe_load((paths.root() / "_config.yml").read_text(encoding="utf-8"))
    chapters = read_chapters(html, toc)
    known = {chapter.name: chapter.key for chapter in chapters}
    for chapter in chapters:
        for_paper(chapter, known, code, sure=tier != "smoke")
    for name in ("_images", "_static"):
        (folder / name).symlink_to(html / name)
    for name in FONTS:
        shutil.copyfile(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf"), folder / f"{name}.ttf")
    style = '<link rel="stylesheet" href="_static/pygments.css"><link rel="stylesheet" href="_static/print.css"><script src="_static/print.js"></script>'
    edition = f"Computed at the {tier} tier" + (f", from the state {found[:10]} of the repository" if (found := commit()) else "")
    (folder / "index.html").write_text(document(chapters, config, edition, style + formulas(html, toc["root"])), encoding="utf-8")


def print_pages(program: str, folder: Path) -> bytes:
    """Let the browser set the page until every page number that it prints is right.

    Raises:
        UserError: if something sticks out of the page, or Chinese cannot be written.
    """
    profile = folder / "profile"
    with browser.Page(program, profile) as page, browser.serve(folder) as address:
        page.send("Emulation.setEmulatedMedia", media="print")
        page.open(f"{address}index.html")
        if problems := page.run("ready()"):
            raise UserError(f"the PDF {'; the PDF '.join(problems)}")
        numbers: dict[str, int] = {}
        for _ in range(PASSES):
            pdf = page.print()
            before, numbers = numbers, page_numbers(pdf)
            if numbers == before:
                return with_facts(pdf)
            page.run(f"fill({json.dumps(numbers)})")
    raise UserError(f"the page numbers of the PDF need to settle in {PASSES} passes; they did not")


def page_numbers(pdf: bytes) -> dict[str, int]:
    """On which page, counted from 1, each target of a link stands."""
    reader = PdfReader(io.BytesIO(pdf))
    return {name.lstrip("/"): reader.get_destination_page_number(place) + 1 for name, place in reader.named_destinations.items()}


def with_facts(pdf: bytes) -> bytes:
    """The PDF with title, author and subject among its facts."""
    config = yaml.safe_load((paths.root() / "_config.yml").read_text(encoding="utf-8"))
    writer, file = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf))), io.BytesIO()
    facts = {"/Title": config["title"], "/Author": config["author"], "/Subject": "Zero-shot adaptation of generators, in runnable chapters"}
    writer.add_metadata(facts | {"/Keywords": "StyleGAN2, CLIP, StyleGAN-NADA, IPL, domain adaptation", "/Creator": "iplkit"})
    writer.write(file)
    return file.getvalue()
