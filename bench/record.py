"""Where the benches keep what they found: bench/results/history.csv, one line a ratio, with the machine's processor named.

No host name, no user, no path is written. The book's page on speed reads the file.
"""

import csv
import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

HISTORY = Path(__file__).parent / "results" / "history.csv"
COLUMNS = ("day", "bench", "quantity", "ratio", "low", "high", "asked", "met", "seconds", "machine", "cores", "threads", "clock", "rounds", "torch", "about")


def machine() -> dict:
    """The processor's model, how many cores there are, the load before, and torch."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {"machine": processor(), "cores": os.cpu_count(), "load_before": load, "torch": torch.__version__}


def processor() -> str:
    """The model's name, from the system."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def ratios(slow: Sequence[float], fast: Sequence[float], digits: int = 2) -> dict:
    """Ratio of the medians over rounds, and the smallest and largest ratio of one round.

    Args:
        slow: seconds of the other side, one a round.
        fast: seconds of ours in the same rounds.
        digits: how many are kept.
    """
    each = [a / b for a, b in zip(slow, fast, strict=True)]
    middle = statistics.median(slow) / statistics.median(fast)
    return {"ratio": round(middle, digits), "low": round(min(each), digits), "high": round(max(each), digits), "rounds": len(each)}


def counted(ratio: float) -> dict:
    """A ratio that was counted and not timed: every round gives the same."""
    return {"ratio": ratio, "low": ratio, "high": ratio, "counted": True}


def add(lines: list[dict], out: Path | None, history: bool = True) -> None:
    """Append lines to the history, and write them as JSON lines where a reader asked for it.

    Args:
        lines: each with "bench", "quantity" and "ratio" at least; what has no column of its own goes into "about".
        out: a file, or None.
        history: False for runs that only prove that a bench runs.
    """
    from iplkit.weights import atomic_path

    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if history and lines:
        HISTORY.parent.mkdir(exist_ok=True)
        new, day = not HISTORY.is_file(), datetime.now(UTC).date().isoformat()
        with HISTORY.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            for line in lines:
                rest = {name: value for name, value in line.items() if name not in COLUMNS}
                writer.writerow({name: line.get(name, "") for name in COLUMNS} | {"day": day, "about": json.dumps(rest)})
