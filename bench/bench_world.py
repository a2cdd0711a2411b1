"""W2: photo renders a second at 64 px on two threads, as a multiple of the bar, which is 150.

Run it on an idle machine: python bench/bench_world.py
"""

import argparse
import json
import os
import statistics
from pathlib import Path

import torch

from record import ratios

from iplkit.bars.world import photo_rate
from iplkit.weights import atomic_path

ASKED = 150.0


def main() -> None:
    """Measure, print one JSON line, and write it where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--images", type=int, default=600, help="renders a round (default 600)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the middle one counts (default 3)")
    parser.add_argument("--out", type=Path, help="file for the line")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rates = [photo_rate(options.images, rounds=1) for _ in range(options.rounds)]
    found = ratios(rates, [ASKED] * options.rounds)
    line = {"bar": "W2", "quantity": f"photo renders, 64 px: rate over {ASKED:g} a second", "value": round(statistics.median(rates), 1)} | found
    line |= {"asked": ">= 1", "met": found["ratio"] >= 1, "threads": options.threads, "load_before": load}
    print(json.dumps(line))
    if options.out:
        with atomic_path(options.out) as temporary:
            temporary.write_text(json.dumps(line) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
