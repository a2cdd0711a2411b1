"""A published CLIP on the CPU: torch's own matrix products against the package's (`iplkit.clip.products`).

A ViT-B/32 with random weights, as open_clip builds it and as the package reads it, takes turns with itself: four pictures there, four
pictures there and back to their pixels, the 79 sentences of one word. The features are compared first. Where the package keeps
torch's way (see `products.pays`), both are the same and the ratios are one.

    python bench/bench_clip.py
"""

import argparse
import copy
import json
import time

import torch
from torch import Tensor

from bench_ipl import models
from record import ratios

from iplkit.clip.model import Clip
from iplkit.clip.products import hasten, pays
from iplkit.clip.prompts import TEMPLATES
from iplkit.keep_memory import keep_memory


def gradient(clip: Clip, images: Tensor) -> Tensor:
    """Of a sum of squared features, for each pixel."""
    leaf = images.clone().requires_grad_(True)
    return torch.autograd.grad(clip.encode_image(leaf).square().sum(), leaf)[0]


def apart(a: Tensor, b: Tensor) -> float:
    """Largest difference, as a share of the largest value."""
    return float((a - b).abs().max() / a.abs().max())


def main() -> None:
    """Measure and print JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="CPU threads, one after the other (default 1 2)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--batch", type=int, default=4, help="pictures (default 4)")
    options = parser.parse_args()
    keep_memory()
    plain = models("256", "cpu")[1]
    clips = (plain, hasten(copy.deepcopy(plain)))
    images = torch.rand(options.batch, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sentences = plain.tokenize([template.format("photo") for template in TEMPLATES])
    kinds = {
        f"{options.batch} pictures, there": torch.no_grad()(lambda clip: clip.encode_image(images)),
        f"{options.batch} pictures, there and back": lambda clip: gradient(clip, images),
        f"{len(TEMPLATES)} sentences": torch.no_grad()(lambda clip: clip.encode_text(sentences)),
    }
    for threads in options.threads:
        torch.set_num_threads(threads)
        for what, function in kinds.items():
            differ = apart(*(function(clip) for clip in clips))
            if not differ <= 1e-4:
                raise SystemExit(f"both ways need to give the same numbers; they differ by {differ:.1e} of the largest ({what})")
            seconds = [[], []]
            for turn in range(options.rounds):
                for side in (0, 1) if turn % 2 == 0 else (1, 0):
                    began = time.perf_counter()
                    function(clips[side])
                    seconds[side].append(time.perf_counter() - began)
            where = f"CLIP ViT-B/32, {what}, {threads} thread{'s' * (threads > 1)}: torch's own products against ours"
            print(json.dumps({"quantity": where, "asked": "reported", "threads": threads, "clock": "wall", "changed": pays(), "differ": differ} | ratios(*seconds)), flush=True)


if __name__ == "__main__":
    main()
