"""What a GPU makes of the real sizes: seconds a step, memory, projected minutes, precision, and agreement with the CPU.

1024 px, configuration F, ViT-B/32, random weights: times and memory do not ask what the weights are. For float32, TF32 and
bfloat16, with and without torch.compile, it times updates of stage 2, reads the memory held at most, projects the thesis' recipe
(300 updates of the mapper, 300 of the generator), and compares losses with float32 on the same draws. Then float32 on the GPU is
compared with float32 on the CPU, images and gradients. Raw output: bench/results/gpu-MODEL.json.

    python bench/gpu.py                     on a machine with a GPU, minutes
    python bench/gpu.py --device cpu --tiny seconds: proves that it runs

This script never ran on a GPU when this was written; it is tested with --device cpu --tiny.
"""

import argparse
import json
import re
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from bench_ipl import models
from record import HISTORY, machine

from iplkit.adapt import AdaptSettings
from iplkit.adapt.anchors import image_anchor
from iplkit.adapt.cost import fit, peak
from iplkit.adapt.look import Look
from iplkit.adapt.loop import Plugs, advance, start
from iplkit.adapt.selectors import adaptive_layers
from iplkit.stylegan2.generator import Generator
from iplkit.weights import atomic_path

RECIPE = 300  # updates of each stage
WAYS = {"float32": (False, "float32"), "tf32": (True, "float32"), "bfloat16": (True, "bfloat16")}


def wait(device: str) -> None:
    """Until the GPU has done what it was asked."""
    if device == "cuda":
        torch.cuda.synchronize()


def run(source: Generator, clip, settings: AdaptSettings, device: str, steps: int, tf32: bool, compiled: bool) -> dict:
    """Some updates of stage 2 with a vote in each, as the paper does."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    look = Look(clip, settings, 0)
    width = clip.encode_text(clip.tokenize(["photo"])).shape[1]
    text = F.normalize(torch.randn(1, width, generator=torch.Generator().manual_seed(3)), dim=1).to(device)
    plugs = Plugs(lambda w: text, image_anchor(look, source), adaptive_layers(clip, "disney", settings, 0))
    state = start(source, plugs, settings, average=True)
    if compiled:
        state.target.synthesis.compile()
    seconds = []
    for _ in range(steps + 1):
        wait(device)
        began = time.perf_counter()
        advance(state, source, look, plugs, settings, 0)
        wait(device)
        seconds.append(time.perf_counter() - began)
    step, losses = statistics.median(seconds[1:]), [row["loss"] for row in state.log]
    made = {"seconds_a_step": step, "first_step": seconds[0], "losses": losses, "stage2_minutes": RECIPE * step / 60}
    return made | {"memory_gb": peak(torch.device(device)) / 1e9}


def stage1_minutes(source: Generator, clip, settings: AdaptSettings, device: str) -> float:
    """The pool of the first domain and the updates of the mapper, projected from a few batches."""
    from iplkit.adapt.stage1 import latent_pool, make_context, train_mapper
    from iplkit.clip.prompts import template_anchor

    wait(device)
    began = time.perf_counter()
    pool = latent_pool(source, clip, settings.mapper_batch, 0)
    wait(device)
    drawn = (time.perf_counter() - began) / settings.mapper_batch
    few = replace(settings, mapper_steps=10)
    context, anchors = make_context(clip, "photo", "disney", few), tuple(template_anchor(clip, word) for word in ("photo", "disney"))
    rows = train_mapper(clip, context, pool, anchors, few, 0, progress=False)[1]
    return (drawn * settings.mapper_pool + RECIPE * statistics.median(row["seconds"] for row in rows)) / 60


def agreement(source: Generator, device: str) -> dict:
    """Largest differences between the device and the CPU in float32, relative to the largest value: images, gradients of w."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    ws = source.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(5)).to(device)).detach()
    found = []
    for place in (device, "cpu"):
        generator, leaf = source.to(place), ws.to(place, copy=True).requires_grad_(True)
        images = generator.synthesis(leaf, noise_mode="const")
        (gradient,) = torch.autograd.grad(images.square().mean(), leaf)
        found.append((images.detach().cpu(), gradient.cpu()))
    source.to(device)
    parts = {name: float((a - b).abs().max() / b.abs().max()) for name, a, b in zip(("images", "gradients"), *found)}
    return parts | {"asked": "<= 1e-3"}


def main() -> None:
    """Measure, print, and write the raw output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try it (default cuda)")
    parser.add_argument("--steps", type=int, default=10, help="updates a way (default 10)")
    parser.add_argument("--tiny", action="store_true", help="16 px: proves that it runs")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--out", type=Path, help="JSON file (default bench/results/gpu-MODEL.json; nothing with --tiny)")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("This needs a GPU that torch can use, and torch sees none; try it without one: --device cpu --tiny")
    source, clip = models("tiny" if options.tiny else "paper", options.device)
    settings = AdaptSettings(noise="independent", select_every=1, select_micro=2)
    name = torch.cuda.get_device_name() if options.device == "cuda" else machine()["machine"]
    report = {"device": name, "torch": torch.__version__, "size": source.config.size, "batch": settings.batch, "ways": {}}
    report["cost_card"] = fit(source, [clip], settings, None).sentence()
    for compiled in [False] if options.no_compile or options.device == "cpu" else [False, True]:
        for way, (tf32, precision) in WAYS.items():
            label = way + ", compiled" * compiled
            try:
                made = run(source, clip, replace(settings, precision=precision), options.device, options.steps, tf32, compiled)
            except torch.OutOfMemoryError:
                made = {"out_of_memory": True}
            report["ways"][label] = made
            print(json.dumps({label: made}), flush=True)
    base = report["ways"]["float32"].get("losses", [])
    for made in report["ways"].values():
        made["loss_differs_by"] = max((abs(a - b) for a, b in zip(made.get("losses", []), base)), default=None)
    report["stage1_minutes"] = stage1_minutes(source, clip, replace(settings, mapper_pool=9600), options.device)
    report["agreement_with_cpu"] = agreement(source, options.device)
    print(json.dumps({name: report[name] for name in ("device", "stage1_minutes", "agreement_with_cpu", "cost_card")}))
    out = options.out or (None if options.tiny else HISTORY.parent / f"gpu-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.json")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
