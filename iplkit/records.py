"""A result with its origin: every figure and table is written beside what made it and the numbers in it.

``name.json`` holds what must come out again (notebook, profile, tier, settings, seeds, hashes, numbers, and the caption
it was made with) and is compared. ``name.run.json`` holds what may differ (commit, versions, device, time, seconds) and
is not; the hash of ``name.json`` stands in it, so that a number changed by hand is found.
"""

import base64
import io
import json
import math
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from iplkit import paths
from iplkit.errors import UserError
from iplkit.exhibits import shown_as
from iplkit.files import atomic_path, files_of, sha256, shipped_hashes
from iplkit.numbers import format_number
from iplkit.paper_files import hash_of
from iplkit.plotting import DPI, STYLE
from iplkit.sources import modules_of_notebook

NAME = re.compile(r"(fig|tab|readme)-[a-z0-9]+(-[a-z0-9]+)*")
PACKAGES = ("torch", "torchvision", "open_clip_torch", "numpy", "scipy", "matplotlib", "iplkit")
TOLERANCE = 0.05  # relative; what a number may move on another machine unless its record says otherwise
_started = time.perf_counter()


@dataclass(frozen=True)
class Origin:
    """Which notebook draws, and with which parameters; made once a notebook and given to every save.

    Args:
        notebook: path in the repository, for example ``notebooks/00_world.ipynb``.
        profile: "world" or "paper".
        tier: "smoke", "laptop" or "full".
        out: the notebook's OUT; see `iplkit.paths.figures`.
    """

    notebook: str
    profile: str = "world"
    tier: str = "laptop"
    out: str = ""

    def __post_init__(self):
        paths.run_folder(self.tier, self.profile)  # refuses an unknown tier or profile

    @property
    def folder(self) -> Path:
        """Where its figures, tables and records go."""
        return paths.figures(self.out)


class Shown:
    """The stored file itself, as a notebook shows it: what is on the page is what the record describes."""

    def __init__(self, path: Path, mime: str):
        self.path, self.mime = path, mime

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        content = self.path.read_bytes()
        data = base64.b64encode(content).decode() if self.mime == "image/png" else content.decode()
        return {self.mime: data, "text/plain": self.path.stem}


def save_figure(
    fig: Figure, name: str, origin: Origin, *, config=None, seeds: Iterable[int] = (), inputs: Iterable = (),
    numbers: dict | None = None, seconds: dict | None = None, tolerance: float = TOLERANCE,
) -> Shown:  # fmt: skip
    """Store a figure with its two records, and show it if it is the last line of a cell.

    A plot becomes ``name.svg``, a grid of pictures ``name.png``.

    Args:
        fig: from `iplkit.plotting.new_figure` or `iplkit.plotting.image_grid`.
        name: ``fig-...``, a literal in the notebook, so that the workflow knows who draws it.
        origin: see `Origin`.
        config: the settings, a dataclass or a dict of plain values.
        seeds: every seed that the result hangs on.
        inputs: files it was computed from, and folders of them; a word such as ``"generator"`` is a shipped weight.
        numbers: what the text may quote, name -> value; nested dicts are fine. Text quotes it as ``{num}`name:key` ``.
        seconds: measured times, name -> seconds; kept in ``name.run.json``, since they differ from run to run.
        tolerance: relative difference of a number that another machine may show.

    Returns:
        The stored file, for the notebook to show.
    """
    _refuse_name(name, ("fig", "readme"))
    pixels = getattr(fig, "made_of_pixels", False)
    path = origin.folder / f"{name}.{'png' if pixels else 'svg'}"
    with atomic_path(path) as temporary, mpl.rc_context(STYLE):
        if pixels:
            _save_pixels(fig, temporary)
        else:
            fig.savefig(temporary, metadata={"Date": None, "Creator": None})
    write_records(name, origin, [path], config=config, seeds=seeds, inputs=inputs, numbers=numbers, seconds=seconds, tolerance=tolerance)
    return Shown(path, "image/png" if pixels else "image/svg+xml")


def _save_pixels(fig: Figure, path: Path) -> None:
    """A PNG without its opacity, which is full everywhere, packed as small as the library can: a seventh less to keep."""
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
    Image.open(drawn).convert("RGB").save(path, format="PNG", optimize=True, dpi=(DPI, DPI))


def save_table(
    table: pd.DataFrame, name: str, origin: Origin, *, digits: int = 3, config=None, seeds: Iterable[int] = (),
    inputs: Iterable = (), numbers: dict | None = None, seconds: dict | None = None, tolerance: float = TOLERANCE,
) -> Shown:  # fmt: skip
    """Store a table as ``name.csv`` (full precision) and ``name.md`` (as printed), with its two records.

    Args:
        table: one row a thing; the index is not printed. If `numbers` is not given, every number of the table
            is recorded under ``row.column``, where the row is its first cell.
        digits: significant digits in print.

    The other arguments are those of `save_figure`.
    """
    _refuse_name(name, ("tab",))
    csv, md = origin.folder / f"{name}.csv", origin.folder / f"{name}.md"
    with atomic_path(csv) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    with atomic_path(md) as temporary:
        temporary.write_text(markdown_table(table, digits), encoding="utf-8")
    numbers = numbers if numbers is not None else table_numbers(table)
    write_records(name, origin, [csv, md], config=config, seeds=seeds, inputs=inputs, numbers=numbers, seconds=seconds, tolerance=tolerance)
    return Shown(md, "text/markdown")


def read_numbers(name: str, origin: Origin) -> dict:
    """The numbers that another notebook or command recorded, in this run or, if it made none, in print.

    `name` is a literal in the notebook, so that the workflow runs the notebook that writes it first.

    Raises:
        UserError: if there is no such record.
    """
    for folder in (origin.folder, paths.root() / "figures"):
        if (path := folder / f"{name}.json").is_file():
            return json.loads(path.read_text(encoding="utf-8"))["numbers"]
    raise UserError(f"the record {name} is needed and not made yet; make it with: iplkit regenerate {name} --tier {origin.tier}")


def markdown_table(table: pd.DataFrame, digits: int = 3) -> str:
    """A pipe table: text left, numbers right; a missing value is a dash."""
    numeric = [pd.api.types.is_numeric_dtype(table[c]) and not pd.api.types.is_bool_dtype(table[c]) for c in table.columns]
    lines = [[str(c) for c in table.columns], ["--:" if n else ":--" for n in numeric]]
    lines += [[_cell(value, digits) for value in row] for row in table.itertuples(index=False)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _cell(value, digits: int) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return format_number(float(value), digits)
    return str(value).replace("|", "\\|")


def table_numbers(table: pd.DataFrame) -> dict:
    """Every number of a table, as {first cell of the row: {column: value}}.

    Raises:
        UserError: if two rows begin alike, since one would hide the other.
    """
    rows = [str(value) for value in table.iloc[:, 0]]
    if len(set(rows)) < len(rows):
        raise UserError("a table needs a different first cell in every row, or `numbers` of its own; two rows begin alike")
    columns = [c for c in table.columns[1:] if pd.api.types.is_numeric_dtype(table[c])]
    return {row: {str(c): table[c].iloc[i] for c in columns} for i, row in enumerate(rows)}


def write_records(name: str, origin: Origin, files: list[Path], *, config, seeds, inputs, numbers, seconds, tolerance: float) -> None:
    """Write ``name.json`` and ``name.run.json`` beside the files they describe."""
    exhibit = shown_as(name)
    record = {
        "name": name,
        "notebook": origin.notebook,
        "profile": origin.profile,
        "tier": origin.tier,
        "config": plain(config or {}),
        "seeds": [int(seed) for seed in seeds],
        "inputs": {key: digest for item in inputs for key, digest in _hash_inputs(item, origin.profile)},
        "files": {path.name: sha256(path) for path in files},
        "caption": exhibit.caption if exhibit else None,
        "alt": exhibit.alt if exhibit else None,
        "tolerance": tolerance,
        "numbers": plain(numbers or {}),
    }
    path = origin.folder / f"{name}.json"
    write_json(path, record)
    write_json(path.with_suffix(".run.json"), _circumstances(origin, seconds or {}) | {"record": sha256(path)})


def write_json(path: Path, record: dict) -> None:
    """Sorted, indented, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def plain(value):
    """Any setting or result as JSON: floats to six digits, tensors and arrays as lists, what is not finite as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Path):
        return _relative(value)
    raise UserError(f"a record needs plain values; it got {type(value).__name__}")


def _relative(path: Path) -> str:
    path = path if path.is_absolute() else paths.root() / path
    return path.relative_to(paths.root()).as_posix() if path.is_relative_to(paths.root()) else path.name


def _hash_inputs(item: str | Path, profile: str = "world") -> Iterator[tuple[str, str]]:
    """A weight by its name, a file by its path in the repository, a folder as its files; hidden ones left out."""
    hashes = shipped_hashes()
    if profile == "paper" and str(item) in hashes:
        yield str(item), hash_of(str(item))
        return
    if str(item) in hashes:
        yield str(item), hashes[str(item)]
        return
    path = paths.root() / item
    if not path.exists():
        raise UserError(f"inputs needs files, or shipped weights ({', '.join(hashes) or 'none is shipped'}); it got {str(item)!r}")
    if path.is_dir():
        yield f"{_relative(path)}/", "every file in it"
    yield from ((_relative(file), sha256(file)) for file in ([path] if path.is_file() else files_of(path)))


def _circumstances(origin: Origin, seconds: dict) -> dict:
    import torch

    notebook = paths.root() / origin.notebook
    used = modules_of_notebook(notebook) if notebook.suffix == ".ipynb" and notebook.is_file() else []
    files = [notebook, *used] if notebook.is_file() else []  # a script of bench/ has no cells
    return {
        "commit": commit(),
        "versions": {"python": platform.python_version()} | {p: v for p in PACKAGES if (v := _version(p))},
        "device": {"machine": platform.machine(), "cpu": _cpu(), "threads": torch.get_num_threads(), "gpu": torch.cuda.is_available()},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": {"since the notebook began": round(time.perf_counter() - _started, 1)} | plain(seconds),
        "code": {_relative(path): sha256(path)[:16] for path in files},
    }


def _cpu() -> str:
    """The processor, as far as its kind can change the last digit of a sum."""
    info = Path("/proc/cpuinfo")
    first = info.read_text().partition("\n\n")[0] if info.is_file() else ""
    found = dict(re.findall(r"^([^\t:]+)\s*: ?(.*)$", first, re.MULTILINE))
    named = [f"{key} {found[key]}" for key in ("cpu family", "model", "stepping") if key in found]
    return ", ".join([found.get("model name", platform.processor()), *named])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit, with a plus sign where the tree has changes; None outside a git repository."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=paths.root(), capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _refuse_name(name: str, kinds: tuple[str, ...]) -> None:
    if not NAME.fullmatch(name) or not name.startswith(kinds):
        raise UserError(f"a name needs the form {' or '.join(kind + '-small-words' for kind in kinds)}; it is {name!r}")
