"""Stored figures and tables against their records: the right bytes, nothing changed by hand, nothing without an origin."""

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, again, relative
from iplkit.checks.tables import table_disagreements
from iplkit.files import files_of, sha256, shipped_hashes

KEYS = {"name", "notebook", "profile", "tier", "config", "seeds", "inputs", "files", "caption", "alt", "tolerance", "numbers"}
RESTORE = "restore it, or"


def read_records(folder: Path, report: Report) -> dict[Path, dict]:
    """All records of a folder that describe what is there; the rest is reported."""
    records, described = {}, set()
    for path in sorted(folder.glob("*.json")):
        if path.name.endswith(".run.json"):
            continue
        report.checked += 1
        record, problem = read_record(path)
        described |= {path.with_name(name) for name in (record or {}).get("files", {})}
        if problem:
            report.wrong.append(f"{relative(path)}: {problem}")
        else:
            records[path] = record
    for path in sorted(folder.glob("*.run.json")):
        if not path.with_name(path.name.replace(".run.json", ".json")).is_file():
            report.wrong.append(f"{relative(path)}: the record beside it is gone; restore it, or run iplkit regenerate --keep")
    for path in pictures_and_tables(folder.glob("*")):
        if path not in described:
            report.wrong.append(f"{relative(path)}: no record says what made it; restore the record, or delete the file")
    return records


def read_record(path: Path) -> tuple[dict | None, str]:
    """One record, and what is wrong with it in a sentence; empty if nothing is."""
    printed = path.parent.parent == paths.root()
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        missing = KEYS - set(record)
    except (ValueError, TypeError):
        return None, f"is not a record; {RESTORE} run iplkit regenerate {path.stem}{' --keep' * printed}"
    if missing:
        return (record if isinstance(record, dict) else None), f"lacks {', '.join(sorted(missing))}; {RESTORE} run iplkit regenerate {path.stem}{' --keep' * printed}"
    remedy = f"{RESTORE} {again(record, printed=printed)}"
    if record["name"] != path.stem:
        return record, f"is the record of {record['name']}; give it its name back"
    for name, digest in record["files"].items():
        file = path.with_name(name)
        if not file.is_file():
            if name in left_out(path):
                continue
            return record, f"describes {name}, which is missing; {remedy}"
        if sha256(file) != digest:
            return record, f"describes other bytes than those of {name}; {remedy}"
    if not (run := path.with_suffix(".run.json")).is_file():
        return record, f"has no {run.name} beside it; {remedy}"
    if _seal(run) != sha256(path):
        return record, f"is not what its notebook or command wrote, so it was changed afterwards; {remedy}"
    if problem := next(table_disagreements(path, record), ""):
        return record, f"{problem}; {remedy}"
    return record, ""


def left_out(record: Path) -> list[str]:
    """Pictures of a printed record that are too large to be kept beside it; `iplkit.regenerate.keep` names them."""
    try:
        return json.loads(record.with_suffix(".run.json").read_text(encoding="utf-8")).get("left_out", [])
    except (OSError, ValueError, AttributeError):
        return []


def check_inputs(records: dict[Path, dict], report: Report) -> None:
    """Files that a result was made from: another content is wrong; files that came to their folders since make it aged."""
    digests, shipped, root = {}, shipped_hashes(), paths.root()
    for path, record in records.items():
        files = {name: digest for name, digest in record["inputs"].items() if _is_file_of_ours(name, shipped)}
        for name in files:
            if name not in digests:
                digests[name] = digest_of(f"{root}/{name}")
        if other := [name for name, digest in files.items() if digests[name] != digest]:
            more = f" and {len(other) - 1} more" * (len(other) > 1)
            what = f"another {other[0]}{more} than there is now" if digests[other[0]] else f"{other[0]}{more}, which is gone"
            report.wrong.append(f"{relative(path)}: was made from {what}; restore that, or {again(record)}")
        elif new := _newcomers(record["inputs"]):
            more = f" and {len(new) - 1} more" * (len(new) > 1)
            report.aged.append(f"{relative(path)}: {new[0]}{more} came since; {again(record)}")


def check_products(folder: Path, report: Report) -> None:
    """Files in the folders below (one small JSON each, in the words of the command that made it) stand beside their pictures."""
    for path in sorted(folder.glob("*/**/*.json")):
        report.checked += 1
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            report.wrong.append(f"{relative(path)}: is not a record; restore it")
    for path in pictures_and_tables(folder.glob("*/**/*")):
        if not path.with_suffix(".json").is_file() and path.stem != "steer-photo":
            report.wrong.append(f"{relative(path)}: no record says what made it; restore the record, or delete the file")


def pictures_and_tables(found: Iterable[Path]) -> list[Path]:
    """Those of some files that a record must describe."""
    return sorted(path for path in found if path.suffix in (".svg", ".png", ".csv", ".md"))


def changed_since(record: dict, run: Path) -> list[str]:
    """Code and shipped weights that are not what a record was made with."""
    code = json.loads(run.read_text(encoding="utf-8")).get("code", {}) if run.is_file() else {}
    shipped, root = shipped_hashes(), paths.root()
    changed = [name for name, digest in code.items() if digest_of(f"{root}/{name}")[:16] != digest]
    return changed + [name for name, digest in record["inputs"].items() if name in shipped and shipped[name] != digest]


def _is_file_of_ours(name: str, shipped: dict[str, str]) -> bool:
    """Whether an input is a file of the repository: no shipped weight, no folder, nothing that the workflow builds."""
    return "/" in name and not name.endswith("/") and not name.startswith("_build/") and name not in shipped


def _newcomers(inputs: dict[str, str]) -> list[str]:
    """Files in folders of the inputs that were not there when the record was made."""
    folders = [paths.root() / name for name in inputs if name.endswith("/")]
    return [name for folder in folders for name in map(relative, files_of(folder)) if name not in inputs]


def _seal(run: Path) -> str:
    try:
        return json.loads(run.read_text(encoding="utf-8")).get("record", "")
    except (ValueError, AttributeError):
        return ""


def digest_of(path: str | Path) -> str:
    """The hash of a file, or nothing; the same file is read once as long as it stays the same."""
    try:
        about = os.stat(path)
        return _digest_at(str(path), about.st_mtime_ns, about.st_size)
    except OSError:
        return ""


@cache
def _digest_at(path: str, changed_at: int, size: int) -> str:
    return sha256(path)
