"""Printed results against what this machine computed again.

A recomputation counts if it was made by the code and the weights that are there now. Numbers agree within the record's
tolerance, and a picture must look the same. The same code on the same kind of machine should make the same bytes; where
it does not, that is listed.
"""

import json
from pathlib import Path

from iplkit import paths
from iplkit.checks.pictures import unlike
from iplkit.checks.report import Report, again, relative
from iplkit.checks.stored import changed_since, left_out, read_records

SAME = ("versions", "device", "code")  # of the circumstances: where they agree, bytes should
COMPARED = ("config", "seeds", "inputs", "notebook")


def check_recomputed(records: dict[Path, dict], report: Report) -> set[Path]:
    """Compare with every run of the workflow; returns the printed records that came out again."""
    printed = {(r["name"], r["tier"], r["profile"]): path for path, r in records.items()}
    confirmed = set()
    for folder in sorted((paths.root() / "_build" / "run").glob("*/figures")):
        for fresh_path, fresh in read_records(folder, report).items():
            path = printed.get((fresh["name"], fresh["tier"], fresh["profile"]))
            if path is None:
                continue
            files = [name for name in records[path]["files"] if records[path]["files"][name] != fresh["files"].get(name)]
            found = [*differences(records[path], fresh), *_other_pictures(path, fresh_path, files)]
            if not changed_since(fresh, fresh_path.with_suffix(".run.json")):
                confirmed.add(path)
                report.wrong += [f"{relative(path)}: {problem}; find out why, then {again(fresh)}" for problem in found]
                if files and not found and _alike(path, fresh_path):
                    report.aged.append(f"{relative(path)}: the same code on the same kind of machine made other bytes of {files[0]}; {again(fresh)}")
            elif found:
                report.aged.append(f"{relative(path)}: an older recomputation differs ({found[0]}); {again(fresh, printed=False)}")
    return confirmed


def check_age(records: dict[Path, dict], confirmed: set[Path], report: Report) -> None:
    """List the records whose code or weights changed since, and which nobody has computed again; one line a chapter."""
    lines: dict[str, list[tuple[Path, list[str]]]] = {}
    for path, record in records.items():
        changed = [] if path in confirmed else changed_since(record, path.with_suffix(".run.json"))
        if changed:
            lines.setdefault(again(record), []).append((path, changed))
    for remedy, found in lines.items():
        (path, changed), others, more = found[0], len(found) - 1, len(found[0][1]) - 3
        names = f"{relative(path)}{f' and {others} more' * bool(others)}"
        report.aged.append(f"{names}: {', '.join(changed[:3])}{f' and {more} more' * (more > 0)} changed since; {remedy}")


def differences(printed: dict, fresh: dict) -> list[str]:
    """How a recomputed record differs from the printed one beyond its tolerance, in sentences without an end."""
    found = [f"was printed with other {key} than there are now{_first(printed[key], fresh[key])}" for key in COMPARED if printed[key] != fresh[key]]
    old, new = flatten(printed["numbers"]), flatten(fresh["numbers"])
    if set(old) != set(new):
        return [*found, f"holds other numbers than its recomputation: {', '.join(sorted(set(old) ^ set(new))[:5])}"]
    tolerance = printed["tolerance"]
    return found + [f"{key} was printed as {old[key]} and came out as {new[key]}" for key in old if not _close(old[key], new[key], tolerance)]


def _first(old, new) -> str:
    """Where two settings or lists of inputs differ first."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return ""
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return f" ({names[0]}{f' and {len(names) - 1} more' * (len(names) > 1)})"


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


def _other_pictures(path: Path, fresh_path: Path, files: list[str]) -> list[str]:
    """Figures that came out as another picture; of one that is left out of the repository only the numbers are compared."""
    here = [name for name in files if path.with_name(name).is_file() or name not in left_out(path)]
    found = [(name, unlike(path.with_name(name), fresh_path.with_name(name))) for name in here]
    return [f"the recomputed {name} is another picture: {why}" for name, why in found if why]


def _alike(path: Path, fresh_path: Path) -> bool:
    """Whether two results were made by the same code on the same kind of machine."""
    runs = [json.loads(p.with_suffix(".run.json").read_text(encoding="utf-8")) for p in (path, fresh_path)]
    return all(key in runs[0] and runs[0][key] == runs[1].get(key) for key in SAME)
