"""W2: photo renders a second at 64 px on two threads. The bar is 150.

Run it on an idle machine: python bench/bench_world.py
"""

import argparse
import json
import os
from pathlib import Path

import torch

from iplkit.bars.world import photo_rate
from iplkit.weights import atomic_path

ASKED = 150.0


def main() -> None:
    """Measure, print one JSON line, and write it where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--images", type=int, default=600, help="renders a round (default 600)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the fastest counts (default 3)")
    parser.add_argument("--out", type=Path, help="file for the line")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rate = photo_rate(options.images, rounds=options.rounds)
    line = {"bar": "W2", "quantity": "photo renders a second, 64 px", "value": round(rate, 1), "asked": f">= {ASKED:g}"}
    line |= {"ratio": round(rate / ASKED, 2), "met": rate >= ASKED, "threads": options.threads, "load_before": load}
    print(json.dumps(line))
    if options.out:
        with atomic_path(options.out) as temporary:
            temporary.write_text(json.dumps(line) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
