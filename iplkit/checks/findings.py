"""The printed numbers of studies and long measurements: whole files, and measured on the weights that are shipped now."""

import json
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, relative
from iplkit.files import shipped_hashes
from iplkit.shelves import SHELVES, finding_path

KEYS = {"about", "weights", "rows"}


def check_findings(report: Report) -> None:
    """A damaged file is wrong. One that was measured on other weights is aged; so are the tables that were drawn from it."""
    for shelf, kept in SHELVES.items():
        for name in kept.studies:
            _check(finding_path(shelf, name), name, kept.command.format(name), report)
    for path in sorted((paths.root() / "figures" / "full" / "inversion").glob("bench-*.json")):
        _check(path, path.stem, f"python bench/{path.stem.replace('-', '_')}.py --out {relative(path)}", report)


def _check(path: Path, name: str, again: str, report: Report) -> None:
    if not path.is_file():
        return
    report.checked += 1
    shipped = shipped_hashes()
    if (weights := _weights_of(path, name)) is None:
        report.wrong.append(f"{relative(path)}: does not hold the numbers of {name}; restore it, or run {again}")
    elif other := [name for name, digest in weights.items() if shipped.get(name) != digest]:
        report.aged.append(f"{relative(path)}: {', '.join(other)} changed since; run {again}")


def _weights_of(path: Path, name: str) -> dict[str, str] | None:
    """Name -> hash of what was measured on; None if the file is not whole. Only a study's file says its name."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        mine = kept.get("study") == (None if name.startswith("bench-") else name)
        return dict(kept["weights"]) if KEYS <= set(kept) and mine and kept["rows"] else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
