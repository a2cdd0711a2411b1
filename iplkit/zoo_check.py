"""Measure the world and its models against their bars, and store the table that the book prints.

Each bar's rows are kept in a small file with what they were measured on. A second run takes them from there unless the
weights, the world's code or the scale have changed, so an interrupted measurement goes on where it stopped.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from torch import nn

from iplkit import zoo
from iplkit.bars.fitting import fit_table, fitting
from iplkit.bars.language import m4, m5
from iplkit.bars.people import m6
from iplkit.bars.row import BARS, Row
from iplkit.bars.samples import Judged, m1, m2, m3
from iplkit.bars.sets import Scale
from iplkit.bars.steering import m7
from iplkit.bars.world import w1, w3
from iplkit.errors import UserError
from iplkit.records import Origin, plain, save_table, shipped_hashes, write_json

COMMAND = "iplkit zoo check"
NEEDS = {"W1": (), "W3": (), "M1": ("generator", "judge"), "M2": ("generator", "judge"), "M3": ("generator", "judge")}
NEEDS |= {"M4": ("clip",), "M5": ("clip",), "M6": ("identity",), "M7": ("generator", "clip", "judge"), "FIT": ("judge",)}


class Models:
    """The models under test, each loaded when first asked for."""

    def __init__(self, given: dict[str, nn.Module] | None, scale: Scale):
        self.given, self.scale = dict(given or {}), scale

    def get(self, name: str) -> nn.Module:
        """The given model of that name, or the shipped one."""
        if name not in self.given:
            self.given[name] = zoo.load(name)
        return self.given[name].to(self.scale.device).eval()

    @cached_property
    def judged(self) -> Judged:
        """Shared by M1 to M3, so that each set is looked at once."""
        return Judged(self.scale, self.get("generator"), self.get("judge"))


@dataclass(frozen=True)
class Report:
    """What was measured; `met` is false if one bar is not cleared."""

    rows: list[Row]
    seconds: dict[str, float]

    @property
    def met(self) -> bool:
        """Whether every bar that was measured is cleared."""
        return all(row.met is not False for row in self.rows)

    def frame(self, asked_only: bool = True) -> pd.DataFrame:
        """The table for print: one line a bar, or with all that was measured on the way."""
        rows = [row for row in self.rows if row.asked or not asked_only]
        columns = ["bar", "quantity", "value", "low", "high", "asked", "met", "n", "note"]
        return pd.DataFrame([asdict(row) for row in rows], columns=columns)


def fingerprint(models: dict[str, nn.Module] | None, names: Iterable[str]) -> dict[str, str]:
    """What a measurement stands on: SHA-256 of each weight file (or of given weights) and of the world's code."""
    digest = hashlib.sha256()
    for file in sorted((Path(__file__).parent / "world").rglob("*.py")):
        digest.update(file.read_bytes())
    found = {"world": digest.hexdigest()}
    for name in names:
        if models and name in models:
            from iplkit.adapt.methods import weights_hash

            found[name] = weights_hash(models[name])
        else:
            found[name] = zoo.hashes().get(zoo.entry(name).file, "not shipped")
    return found


def measure(bar: str, scale: Scale, models: Models, figures: Path) -> list[Row]:
    """The rows of one bar, measured now."""
    jobs: dict[str, Callable[[], list[Row]]] = {
        "W1": lambda: w1(scale),
        "W3": lambda: w3(scale),
        "M1": lambda: m1(models.judged),
        "M2": lambda: m2(models.judged),
        "M3": lambda: m3(models.judged),
        "M4": lambda: m4(scale, models.get("clip")),
        "M5": lambda: m5(scale, models.get("clip")),
        "M6": lambda: m6(scale, models.get("identity")),
        "M7": lambda: m7(figures),
        "FIT": lambda: fitting(scale, models.get("judge")),
    }
    return jobs[bar]()


def check_names(only: Iterable[str] | None) -> tuple[str, ...]:
    """The bars to measure, in the table's order.

    Raises:
        UserError: a name that is no bar.
    """
    wanted = tuple(BARS if only is None else only)
    for name in wanted:
        if name not in BARS:
            raise UserError(f"a bar is one of {', '.join(BARS)}; got {name!r}")
    return tuple(bar for bar in BARS if bar in wanted)


def as_rows(records: Iterable[dict]) -> list[Row]:
    """Rows as a file holds them: six digits, and a number that is none is NaN again. Fresh rows pass here too."""
    return [Row(**record | {"value": float("nan") if record["value"] is None else record["value"]}) for record in plain(list(records))]


def read_part(path: Path, basis: dict) -> tuple[list[Row], float] | None:
    """Stored rows of one bar and their seconds, or None if there are none, or they stand on something else."""
    if not path.is_file():
        return None
    stored, run = json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".run.json")
    if stored["basis"] != plain(basis):
        return None
    return as_rows(stored["rows"]), json.loads(run.read_text(encoding="utf-8"))["seconds"] if run.is_file() else 0.0


def write_part(path: Path, bar: str, basis: dict, rows: list[Row], seconds: float) -> None:
    """Keep the rows of one bar; what differs from run to run goes beside them."""
    write_json(path.with_suffix(".run.json"), {"seconds": seconds})
    write_json(path, plain({"bar": bar, "basis": basis, "rows": [row.to_json() for row in rows]}))


def run_check(
    out: Path,
    n: int = 10_000,
    quick: bool = False,
    only: Iterable[str] | None = None,
    progress: bool = True,
    *,
    models: dict[str, nn.Module] | None = None,
    device: str = "cpu",
    force: bool = False,
    scale: Scale | None = None,
) -> Report:
    """Measure W1, W3, M1 to M7 and the fit, and write ``tab-world-models`` and its details into `out`.

    Args:
        out: folder of figures; parts go to its ``full/`` or, if quick, ``smoke/``. M7 reads ``full/steer-*.json``.
        n: samples or renders a set.
        quick: a tenth of everything, to see that it runs.
        only: some of the bars; the others keep their stored rows, if these still hold.
        progress: one line a bar on the error stream.
        models: modules to test in place of the shipped ones.
        device: where to compute.
        force: measure again what is stored.
        scale: all sizes at once; overrides `n` and `quick`'s sizes.

    Returns:
        `Report` of all rows that the table holds.

    Raises:
        UserError: an unknown bar, or a model that is not there.
    """
    scale, wanted = scale or Scale.of(n, quick, device=device), check_names(only)
    out, parts, holder = Path(out), Path(out) / ("smoke" if quick else "full"), Models(models, scale)
    rows, seconds = [], {}
    for bar in BARS:
        path = parts / f"check-{bar.lower()}.json"
        basis = {"scale": asdict(scale) | {"device": ""}, "weights": fingerprint(models, NEEDS[bar])}
        kept = None if bar == "M7" or (force and bar in wanted) else read_part(path, basis)
        if kept is None and bar in wanted:
            began = time.perf_counter()
            found = as_rows(row.to_json() for row in measure(bar, scale, holder, out))
            kept = found, round(time.perf_counter() - began, 1)
            if bar != "M7":  # its parts are the records of the steering itself
                write_part(path, bar, basis, *kept)
        if progress:
            print(summary(bar, *(kept or ([], 0.0))), file=sys.stderr, flush=True)
        if kept is not None:
            rows, seconds[bar] = rows + kept[0], kept[1]
    report = Report(rows, seconds)
    store(report, out, scale, quick, models)
    return report


def summary(bar: str, rows: list[Row], seconds: float) -> str:
    """One line a bar: what was asked, what came, how long it took."""
    if not rows:
        return f"{bar}  not measured on these models at this scale"
    asked = [f"{row.quantity} {row.value:.4g} ({row.asked}: {'yes' if row.met else 'no'})" for row in rows if row.asked]
    return f"{bar}  {'; '.join(asked)}  [{seconds:.0f} s]"


def parts_of(report: Report, folder: Path) -> list[Path]:
    """The files that the rows of a report were taken from, or are kept in."""
    parts = [folder / f"check-{bar.lower()}.json" for bar in report.seconds]
    steered = sorted(folder.glob("steer-*.json")) if "M7" in report.seconds else []
    return [path for path in [*parts, *steered] if path.is_file() and not path.name.endswith(".run.json")]


def store(report: Report, out: Path, scale: Scale, quick: bool, models: dict | None) -> None:
    """Write both tables with their records."""
    origin = Origin(COMMAND, tier="smoke" if quick else "full", out=str(out.resolve()))
    used = {name for bar in report.seconds for name in NEEDS[bar]} - set(models or {})
    inputs = [*sorted(used & set(shipped_hashes())), *parts_of(report, out / ("smoke" if quick else "full"))]
    common = {"config": asdict(scale), "seeds": [scale.seed], "inputs": inputs}
    for name, asked_only in (("tab-world-models", True), ("tab-world-models-details", False)):
        frame = report.frame(asked_only)
        numbers = {f"{row.bar} {row.quantity}": row.value for row in report.rows if row.asked or not asked_only}
        save_table(frame, name, origin, numbers=numbers, seconds=report.seconds, **common)
    fitted = [row for row in report.rows if row.bar == "FIT"]
    if fitted:
        numbers = {row.quantity: row.value for row in fitted}
        save_table(fit_table(fitted), "tab-world-fit", origin, numbers=numbers, seconds={"FIT": report.seconds["FIT"]}, **common)
