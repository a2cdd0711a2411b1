"""Memory of one update of stage 2, as the cost card predicts it and as the system saw it: 1024 px, batch 2, ViT-B/32, on the CPU.

Each measurement is a process of its own, because a process remembers the most it ever held. Bars: predicted to 15 %, and under
6 GB where 6 GB are allowed. Takes minutes; nothing else should need the memory meanwhile.

    python bench/bench_memory.py --tiny        seconds: 64 px, proves that it runs
    python bench/bench_memory.py               1024 px with 6 GB
    python bench/bench_memory.py --memory 6GB 16GB
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from record import add, machine, ratios


def once(size: int, memory: int | None, tiny: bool, steps: int, threads: int) -> dict:
    """In this process: predict, make some updates, compare."""
    import torch
    import torch.nn.functional as F

    from bench_generator import config
    from bench_ipl import models

    from iplkit.adapt import AdaptSettings
    from iplkit.adapt.anchors import image_anchor
    from iplkit.adapt.cost import fit, peak
    from iplkit.adapt.look import Look
    from iplkit.adapt.loop import Plugs, advance, start
    from iplkit.adapt.selectors import all_layers
    from iplkit.stylegan2.generator import Generator

    torch.set_num_threads(threads)
    clip = models("tiny" if tiny else "paper", "cpu")[1]
    source = Generator(config(size, 4 if tiny else 1), seed=0).requires_grad_(False).eval()
    settings = replace(AdaptSettings(), selector="all", steps=steps)
    cost = fit(source, [clip], settings, memory)
    look, text = Look(clip, settings, 0, cost.parts), F.normalize(torch.randn(1, clip.model.text_projection.shape[1]), dim=1)
    plugs = Plugs(lambda w: text, image_anchor(look, source), all_layers())
    state = start(source, plugs, settings, average=True)
    for _ in range(steps):
        advance(state, source, look, plugs, settings, 0)
    seconds = sorted(row["seconds"] for row in state.log)[len(state.log) // 2]
    found = {"predicted_gb": round(cost.memory / 1e9, 3), "held_gb": round(peak() / 1e9, 3), "card": cost.sentence()}
    return found | {"predicted_s": round(cost.step, 2), "step_s": round(seconds, 2)}


def compared(what: str, runs: list[dict], allowed: int | None, about: dict) -> list[dict]:
    """Lines of one budget: held over predicted, held over allowed, seconds of an update over predicted."""
    held, predicted = ([run[name] for run in runs] for name in ("held_gb", "predicted_gb"))
    found = ratios(held, predicted, 3)
    lines = [{"quantity": f"{what}: memory held over predicted", "asked": "0.85 to 1.15", "met": 0.85 <= found["low"] <= found["high"] <= 1.15} | found]
    if allowed is not None:
        found = ratios(held, [allowed / 1e9] * len(runs), 3)
        lines.append({"quantity": f"{what}: memory held over allowed", "asked": "< 1", "met": found["high"] < 1} | found)
    seconds, told = ([run[name] for run in runs] for name in ("step_s", "predicted_s"))
    lines.append({"quantity": f"{what}: seconds an update over predicted", "asked": "reported"} | ratios(seconds, told))
    return [{"bench": "memory"} | line | {"runs": runs} | about for line in lines]


def main() -> None:
    """Measure each budget in a child, print JSON lines, add them to the history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="pixels (default 1024)")
    parser.add_argument("--memory", nargs="+", default=["6GB"], help="budgets; 'none' draws the whole batch at once (default 6GB)")
    parser.add_argument("--rounds", type=int, default=1, help="processes a budget (default 1)")
    parser.add_argument("--steps", type=int, default=2, help="updates (default 2)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--tiny", action="store_true", help="64 px, few channels")
    parser.add_argument("--out", type=Path, help="file for the lines")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = 64 if options.tiny else options.size

    from iplkit.adapt.cost import parse_memory

    if options.child:
        allowed = None if options.child == "none" else parse_memory(options.child)
        print(json.dumps(once(size, allowed, options.tiny, options.steps, options.threads)))
        return
    lines, about = [], machine() | {"threads": options.threads}
    for memory in options.memory:
        command = [sys.executable, __file__, "--child", memory, "--size", str(size), "--steps", str(options.steps), "--threads", str(options.threads)]
        runs = []
        for _ in range(options.rounds):
            text = subprocess.run(command + ["--tiny"] * options.tiny, stdout=subprocess.PIPE, text=True, check=True).stdout
            runs.append(json.loads(text.splitlines()[-1]))
        lines += compared(f"stage 2, {size} px, batch 2, --memory {memory}", runs, None if memory == "none" else parse_memory(memory), about)
    for line in lines:
        print(json.dumps(line), flush=True)
    add(lines, options.out, history=not options.tiny)


if __name__ == "__main__":
    main()
