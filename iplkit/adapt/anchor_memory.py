"""The source side of a run, computed once for all target domains.

What CLIP sees in the source's images depends on the source generator, the CLIP, the seed and how images are shown, and
on no target word. So the first run of a seed writes its features down, and every further run of that seed reads them.
The bytes are the same either way.
"""

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.adapt.anchors import Anchor, image_anchor
from iplkit.adapt.look import Look
from iplkit.adapt.task import Task
from iplkit.stylegan2.differences import fingerprint
from iplkit.weights import read_weights, write_weights

SHOWN = ("steps", "batch", "noise", "clamp", "views", "view_scale", "view_shift", "view_noise", "precision", "mixing", "quirks")


def memory_path(folder: Path | None, generator: nn.Module, look: Look) -> Path | None:
    """Where the features of a run's source images are kept; None without a folder.

    On another device than the CPU, or with another number of threads, the last digits may differ: the name says both.
    """
    if folder is None:
        return None
    settings = look.settings.record() | {"mixing": look.settings.mixing}
    record = {name: settings[name] for name in SHOWN} | {"seed": look.seed}
    record |= {"generator": fingerprint(generator), "clip": fingerprint(look.clip)}
    device = next(generator.parameters()).device
    record |= {"device": str(device), "threads": torch.get_num_threads()}
    return Path(folder) / f"anchors-{hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]}.safetensors"


def source_anchor(task: Task) -> Anchor:
    """`image_anchor` of a task; with a folder for caches, each step is computed once for all runs of its seed."""
    each, path = image_anchor(task.look, task.generator_source), memory_path(task.cache_dir, task.generator_source, task.look)
    if path is None:
        return each
    known = {int(step): features for step, features in read_weights(path)[0].items()} if path.is_file() else {}
    fresh: dict[int, Tensor] = {}

    def anchor(ws: Tensor, step: int) -> Tensor:
        if step in known:
            return known[step].to(ws.device)
        fresh[step] = each(ws, step)
        if len(fresh) == task.settings.steps:  # a run that was resumed has not seen all, and writes none
            write_weights(path, {str(s): features.cpu() for s, features in fresh.items()}, {"kind": "anchors"})
        return fresh[step]

    return anchor
