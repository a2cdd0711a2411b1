"""The whole thesis: seconds from nothing to the built book, and once more with nothing changed.

Works in a copy of the repository of its own. The bars: from nothing at the tier laptop in 600 seconds; nothing is done twice.

    python bench/bench_regeneration.py                          tier smoke, once from nothing, three times again
    python bench/bench_regeneration.py --tier laptop --rounds 3
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from record import machine, ratios
from trees import copy_repository, finish

ALLOWED = {"laptop": 600}


def measure(tier: str, workers: int, rounds: int, again: int) -> tuple[list[float], list[float]]:
    """Seconds of each run from nothing, and of each run after the last of them."""
    whole, unchanged = [], []
    for left in reversed(range(rounds)):
        with tempfile.TemporaryDirectory(prefix="regeneration-") as folder:
            tree, log = copy_repository(Path(folder) / "tree"), Path(folder) / "log.txt"
            try:
                whole.append(seconds(tree, tier, workers, log))
                unchanged += [seconds(tree, tier, workers, log) for _ in range(0 if left else again)]
            except SystemExit:
                shutil.copyfile(log, Path.cwd() / "regeneration-failed.log")
                raise
    return whole, unchanged


def seconds(*arguments) -> float:
    """Of one regeneration."""
    began = time.perf_counter()
    finish(*arguments)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=("smoke", "laptop"), default="smoke", help="default smoke")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="steps at a time (default 2)")
    parser.add_argument("--rounds", type=int, default=1, help="from nothing (default 1)")
    parser.add_argument("--again", type=int, default=3, help="with nothing changed (default 3)")
    options = parser.parse_args()
    whole, unchanged = measure(options.tier, options.jobs, options.rounds, options.again)
    what, about = f"whole regeneration, tier {options.tier}", machine() | {"threads": options.jobs}
    about |= {"whole_seconds": [round(s, 1) for s in whole], "unchanged_seconds": [round(s, 1) for s in unchanged]}
    lines = []
    if options.tier in ALLOWED:
        found = ratios([ALLOWED[options.tier]] * len(whole), whole)
        lines.append({"quantity": f"{what}: {ALLOWED[options.tier]} s over seconds needed", "asked": ">= 1", "met": found["ratio"] >= 1} | found)
    lines.append({"quantity": f"{what}: from nothing against nothing changed", "asked": "reported"} | ratios([whole[-1]] * len(unchanged), unchanged, 1))
    for line in lines:
        print(json.dumps(line | about))


if __name__ == "__main__":
    main()
