"""The printed numbers of studies: whole files, and measured on the weights that are shipped now."""

import json
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, relative
from iplkit.files import shipped_hashes

KEYS = {"study", "about", "weights", "rows"}
PLACES = {"inversion/*.json": "python -m iplkit.invert.studies.run {}", "edit/bridge-*.json": "python -m iplkit.edit.bridge_run {}"}  # files -> what makes them


def check_findings(report: Report) -> None:
    """A damaged file is wrong. One that was measured on other weights is aged; so are the tables that were drawn from it."""
    for pattern, again in PLACES.items():
        for path in sorted((paths.root() / "figures" / "full").glob(pattern)):
            if not path.name.endswith(".run.json"):
                _check(path, again.format(path.stem.removeprefix("bridge-").replace("-", "_")), report)


def _check(path: Path, again: str, report: Report) -> None:
    report.checked += 1
    study, shipped = path.stem.replace("-", "_"), shipped_hashes()
    if (weights := _weights_of(path, study)) is None:
        report.wrong.append(f"{relative(path)}: does not hold the numbers of {study}; restore it, or run {again}")
    elif other := [name for name, digest in weights.items() if shipped.get(name) != digest]:
        report.aged.append(f"{relative(path)}: {', '.join(other)} changed since; run {again}")


def _weights_of(path: Path, study: str) -> dict[str, str] | None:
    """Name -> hash of what a study was measured on; None if the file is not whole."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return dict(kept["weights"]) if KEYS <= set(kept) and kept["study"] == study and kept["rows"] else None
    except (ValueError, KeyError, TypeError):
        return None
