"""The printed numbers of inversion, of its studies and its long measurements: whole files, and measured on the weights that are shipped now."""

import json
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, relative
from iplkit.files import shipped_hashes

KEYS = {"about", "weights", "rows"}


def check_findings(report: Report) -> None:
    """A damaged file is wrong. One that was measured on other weights is aged; so are the tables that were drawn from it."""
    shipped = shipped_hashes()
    for path in sorted((paths.root() / "figures" / "full" / "inversion").glob("*.json")):
        if path.name.endswith(".run.json"):
            continue
        report.checked += 1
        name, again = _made_by(path)
        if (weights := _weights_of(path, name)) is None:
            report.wrong.append(f"{relative(path)}: does not hold the numbers of {name}; restore it, or run {again}")
        elif other := [name for name, digest in weights.items() if shipped.get(name) != digest]:
            report.aged.append(f"{relative(path)}: {', '.join(other)} changed since; run {again}")


def _made_by(path: Path) -> tuple[str, str]:
    """What a file is about, and the command that makes it."""
    if path.stem.startswith("bench-"):
        return path.stem, f"python bench/{path.stem.replace('-', '_')}.py --out {relative(path)}"
    study = path.stem.replace("-", "_")
    return study, f"python -m iplkit.invert.studies.run {study}"


def _weights_of(path: Path, name: str) -> dict[str, str] | None:
    """Name -> hash of what was measured on; None if the file is not whole. Only a study's file says its name."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        mine = kept.get("study") == (None if name.startswith("bench-") else name)
        return dict(kept["weights"]) if KEYS <= set(kept) and mine and kept["rows"] else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
