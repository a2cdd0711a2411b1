"""Does everything that is printed agree with what made it?

*Wrong* is a record that disagrees with its figure or table, with the text, with what readers see, or with a
recomputation; or a model card that is not the one that was shipped. *Aged* is a record whose code or weights changed since, and which nobody has computed again: a reason to
run it again, not an error.
"""

from iplkit import paths
from iplkit.checks.cards import check_cards
from iplkit.checks.findings import check_findings
from iplkit.checks.pages import check_chapters, check_pages
from iplkit.checks.recomputed import check_age, check_recomputed
from iplkit.checks.report import Report, relative
from iplkit.checks.shown import check_built, check_executed
from iplkit.checks.stored import check_inputs, check_products, read_records
from iplkit.exhibits import page_paths
from iplkit.files import shipped_hashes
from iplkit.sweep.cells import cell_folder
from iplkit.sweep.checks import check_cells, read_folder


def verify() -> Report:
    """Check every record, every page and every recomputation of the repository."""
    report, figures = Report(), paths.root() / "figures"
    records = read_records(figures, report)
    check_products(figures, report)
    check_inputs(records, report)
    check_cards(report)
    check_findings(report)
    _check_cells(report)
    confirmed = check_recomputed(records, report)
    pages = page_paths()
    check_pages([*pages, *sorted(paths.root().glob("README*.md"))], records, report)
    check_chapters(pages, records, report)
    check_executed(report)
    check_built(report)
    check_age(records, confirmed, report)
    return report


def _check_cells(report: Report) -> None:
    """The thesis table: printed cells against the shipped weights, and against what a run computed again."""
    folder, computed = cell_folder("full"), cell_folder("laptop")
    wrong, aged = check_cells(folder, computed, shipped_hashes())
    report.wrong += [f"{relative(folder)}/{sentence}" for sentence in wrong]
    report.wrong += [f"{relative(computed)}/{sentence}" for sentence in read_folder(computed)[1]]
    report.aged += [f"{relative(folder)}/{sentence}" for sentence in aged]
