"""The printed numbers of the studies of inversion: whole files, and measured on the weights that are shipped now."""

import json
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, relative
from iplkit.files import shipped_hashes

KEYS = {"study", "about", "weights", "rows"}
AGAIN = "python -m iplkit.invert.studies.run"


def check_findings(report: Report) -> None:
    """A damaged file is wrong. One that was measured on other weights is aged; so are the tables that were drawn from it."""
    shipped = shipped_hashes()
    for path in sorted((paths.root() / "figures" / "full" / "inversion").glob("*.json")):
        if path.name.endswith(".run.json"):
            continue
        report.checked += 1
        study = path.stem.replace("-", "_")
        if (weights := _weights_of(path, study)) is None:
            report.wrong.append(f"{relative(path)}: does not hold the numbers of {study}; restore it, or run {AGAIN} {study}")
        elif other := [name for name, digest in weights.items() if shipped.get(name) != digest]:
            report.aged.append(f"{relative(path)}: {', '.join(other)} changed since; run {AGAIN} {study}")


def _weights_of(path: Path, study: str) -> dict[str, str] | None:
    """Name -> hash of what a study was measured on; None if the file is not whole."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return dict(kept["weights"]) if KEYS <= set(kept) and kept["study"] == study and kept["rows"] else None
    except (ValueError, KeyError, TypeError):
        return None
