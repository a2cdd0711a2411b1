"""Does everything that is printed agree with what made it?

*Wrong* is a record that disagrees with its figure, with the text, or with a recomputation. *Aged* is a record whose
code or weights changed since, and which nobody has recomputed: a reason to run it again, not an error.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from iplkit import paths
from iplkit.prose import Page, look_up
from iplkit.records import shipped_hashes
from iplkit.sources import read_source
from iplkit.sweep.cells import cell_folder
from iplkit.sweep.checks import check_cells
from iplkit.weights import sha256

KEYS = {"name", "notebook", "profile", "tier", "config", "seeds", "inputs", "files", "tolerance", "numbers"}


@dataclass
class Report:
    """What `verify` found: one sentence each."""

    wrong: list[str] = field(default_factory=list)
    aged: list[str] = field(default_factory=list)
    checked: int = 0


def verify() -> Report:
    """Check every record, every page and every recomputation of the repository."""
    report = Report()
    figures = paths.root() / "figures"
    records = read_records(figures, report)
    _check_products(figures, report)
    _check_cells(report)
    again = _check_recomputed(records, report)
    pages = book_pages()
    _check_pages(pages, records, report)
    _check_chapters(pages, records, report)
    for path, record in records.items():
        if path not in again:
            _check_age(path, record, report)
    return report


def book_pages() -> list[Page]:
    """Every page of the table of contents, in order."""
    toc = yaml.safe_load((paths.root() / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"], *(entry["file"] for part in toc.get("parts", []) for entry in part["chapters"])]
    found = [paths.root() / f"{name}{ending}" for name in names for ending in (".ipynb", ".md")]
    return [Page(path) for path in found if path.is_file()]


def read_records(folder: Path, report: Report) -> dict[Path, dict]:
    """All records of a folder whose files are there and have the recorded bytes; the rest is reported."""
    records, described = {}, set()
    for path in sorted(folder.glob("*.json")):
        if path.name.endswith(".run.json"):
            continue
        report.checked += 1
        record, problem = _read_record(path)
        described |= {path.with_name(name) for name in (record or {}).get("files", {})}
        if problem:
            report.wrong.append(f"{_name(path)}: {problem}")
        else:
            records[path] = record
    for path in _pictures_and_tables(folder.glob("*")):
        if path not in described:
            report.wrong.append(f"{_name(path)}: no record says what made it")
    return records


def _check_cells(report: Report) -> None:
    """The thesis table: printed cells against the shipped weights, and against what a run computed again."""
    wrong, aged = check_cells(cell_folder("full"), cell_folder("laptop"), shipped_hashes())
    report.wrong += [f"{_name(cell_folder('full'))}/{sentence}" for sentence in wrong]
    report.aged += [f"{_name(cell_folder('full'))}/{sentence}" for sentence in aged]


def _check_products(folder: Path, report: Report) -> None:
    """Files in the folders below (one small JSON each, in the words of the command that made it) stand beside their pictures."""
    for path in sorted(folder.glob("*/**/*.json")):
        report.checked += 1
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            report.wrong.append(f"{_name(path)}: is not a record")
    for path in _pictures_and_tables(folder.glob("*/**/*")):
        if not path.with_suffix(".json").is_file() and path.stem != "steer-photo":
            report.wrong.append(f"{_name(path)}: no record says what made it")


def _pictures_and_tables(found: Iterable[Path]) -> list[Path]:
    return sorted(path for path in found if path.suffix in (".svg", ".png", ".csv", ".md"))


def _read_record(path: Path) -> tuple[dict | None, str]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        missing = KEYS - set(record)
    except (ValueError, TypeError):
        return None, "is not a record"
    if missing:
        return None, f"lacks {', '.join(sorted(missing))}"
    if record["name"] != path.stem:
        return record, f"is the record of {record['name']}"
    if not path.with_name(f"{path.stem}.run.json").is_file():
        return record, "has no .run.json beside it"
    for name, digest in record["files"].items():
        file = path.with_name(name)
        if not file.is_file():
            return record, f"describes {name}, which is missing"
        if sha256(file) != digest:
            return record, f"describes other bytes than those of {name}"
    return record, ""


def _check_recomputed(records: dict[Path, dict], report: Report) -> set[Path]:
    """Compare with every run of the workflow; returns the records that came out again."""
    printed = {(r["name"], r["tier"], r["profile"]): path for path, r in records.items()}
    again = set()
    for folder in sorted((paths.root() / "_build" / "run").glob("*/figures")):
        for fresh in read_records(folder, report).values():
            path = printed.get((fresh["name"], fresh["tier"], fresh["profile"]))
            if path is not None:
                again.add(path)
                report.wrong += [f"{_name(path)}: {problem}" for problem in differences(records[path], fresh)]
    return again


def differences(printed: dict, fresh: dict) -> list[str]:
    """How a recomputed record differs from the printed one beyond its tolerance, in sentences."""
    found = [f"was printed with other {key} than the code has now" for key in ("config", "seeds", "notebook") if printed[key] != fresh[key]]
    old, new = flatten(printed["numbers"]), flatten(fresh["numbers"])
    if set(old) != set(new):
        return [*found, f"and its recomputation hold different numbers: {', '.join(sorted(set(old) ^ set(new))[:5])}"]
    tolerance = printed["tolerance"]
    return found + [f"{key} was printed as {old[key]} and came out as {new[key]}" for key in old if not _close(old[key], new[key], tolerance)]


def flatten(numbers, prefix: str = "") -> dict:
    """Nested numbers as {dotted key: value}."""
    if isinstance(numbers, dict):
        return {k: v for name, item in numbers.items() for k, v in flatten(item, f"{prefix}.{name}" if prefix else name).items()}
    if isinstance(numbers, list):
        return {k: v for i, item in enumerate(numbers) for k, v in flatten(item, f"{prefix}.{i}").items()}
    return {prefix: numbers}


def _close(old, new, tolerance: float) -> bool:
    if isinstance(old, bool | str | None) or isinstance(new, bool | str | None):
        return old == new
    return abs(old - new) <= tolerance * max(abs(old), abs(new)) + 1e-6


def _check_pages(pages: list[Page], records: dict[Path, dict], report: Report) -> None:
    by_name = {record["name"]: record for record in records.values()}
    for page in pages:
        report.checked += 1
        where = _name(page.path)
        for name, key in page.quoted():
            if name not in by_name:
                report.wrong.append(f"{where}: quotes {name}, which has no record")
            elif not isinstance(look_up(by_name[name]["numbers"], key), bool | int | float | str):
                report.wrong.append(f"{where}: quotes {key} of {name}, which its record does not hold")
        report.wrong += [f"{where}: a measured number is typed by hand: ... {text} ..." for text in page.typed_by_hand()]
        report.wrong += [f"{where}: {picture} has no alt text" for picture in page.without_alt()]


def _check_chapters(pages: list[Page], records: dict[Path, dict], report: Report) -> None:
    printed = {record["name"]: record for record in records.values()}
    for page in pages:
        if page.path.suffix != ".ipynb":
            continue
        for name in read_source(page.path).writes:
            if name not in printed:
                report.wrong.append(f"{_name(page.path)}: makes {name}, which is not printed; run iplkit regenerate --keep")
            elif printed[name]["notebook"] != _name(page.path):
                report.wrong.append(f"figures/{name}.json: says {printed[name]['notebook']} made it; {_name(page.path)} does")


def _check_age(path: Path, record: dict, report: Report) -> None:
    code = json.loads(path.with_name(f"{path.stem}.run.json").read_text(encoding="utf-8")).get("code", {})
    shipped = shipped_hashes()
    changed = [name for name, digest in code.items() if _digest(paths.root() / name, 16) != digest]
    changed += [name for name, digest in record["inputs"].items() if name in shipped and shipped[name] != digest]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        report.aged.append(f"{_name(path)}: {', '.join(changed[:3])}{more} changed since")


def _digest(path: Path, length: int) -> str:
    return sha256(path)[:length] if path.is_file() else ""


def _name(path: Path) -> str:
    return path.relative_to(paths.root()).as_posix()
