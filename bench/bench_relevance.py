"""Relevance of one prompt: finite differences of every channel against one backward pass a picture, at the same pictures.

Work in pictures drawn (a backward pass counts as two), and processor seconds. The bars are 100 and 30.

    python bench/bench_relevance.py
"""

import argparse
import json
import time

import torch

from record import counted, ratios

from iplkit.edit.relevance import finite_differences, prompt_slopes
from iplkit.edit.studies.bench import BASE, PROMPTS, Bench

NAME = "relevance of one prompt, differences against backward pass"


def main() -> None:
    """Measure in turns and print two JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = Bench(2)
    eye, mean, std = bench.eye, bench.statistics.mean, bench.statistics.std
    codes, text = bench.codes(BASE, 2), bench.text(PROMPTS[0])
    prompt_slopes(eye, codes, std, text)  # the first call of a backward pass also loads code
    quick, slow, drawn = [], [], 0
    for _ in range(options.rounds):
        quick.append(seconds(lambda: prompt_slopes(eye, codes, std, text))[1])
        found, spent = seconds(lambda: finite_differences(eye, codes, mean, std))
        slow.append(spent)
        drawn = found.renders
    work, found = round(drawn / (3 * len(codes)), 1), ratios(slow, quick, 1)
    lines = [{"quantity": f"{NAME}: pictures", "asked": ">= 100", "met": work >= 100} | counted(work)]
    lines.append({"quantity": f"{NAME}: time", "asked": ">= 30", "met": found["ratio"] >= 30, "threads": options.threads} | found)
    for line in lines:
        print(json.dumps(line))


def seconds(work):
    """What it gives, and its processor seconds."""
    began = time.process_time()
    return work(), time.process_time() - began


if __name__ == "__main__":
    main()
