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

from record import add, machine


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


def main() -> None:
    """Measure each budget in a child, print JSON lines, add them to the history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="pixels (default 1024)")
    parser.add_argument("--memory", nargs="+", default=["6GB"], help="budgets; 'none' draws the whole batch at once (default 6GB)")
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
        text = subprocess.run(command + ["--tiny"] * options.tiny, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = json.loads(text.splitlines()[-1])
        ratio, what = found["held_gb"] / found["predicted_gb"], f"stage 2, {size} px, batch 2, --memory {memory}"
        line = {"bench": "memory", "quantity": f"{what}: memory held over predicted", "ratio": round(ratio, 3), "asked": "0.85 to 1.15"}
        lines.append(line | {"met": 0.85 <= ratio <= 1.15} | found | about)
        if memory != "none":
            share = found["held_gb"] * 1e9 / parse_memory(memory)
            line = {"bench": "memory", "quantity": f"{what}: memory held over allowed", "ratio": round(share, 3), "asked": "< 1"}
            lines.append(line | {"met": share < 1} | found | about)
    for line in lines:
        print(json.dumps(line), flush=True)
    add(lines, options.out, history=not options.tiny)


if __name__ == "__main__":
    main()
