"""A cost card: what an adaptation will need, told before it runs, and compared with what it did need.

Memory and operations are counted on shapes (`iplkit.adapt.meter`). Time is the count of operations divided by a rate of this
machine: the generator draws one image first, and the operations of that image over its seconds are the rate. So the rate has in it
what lies between the convolutions, and whatever else the machine does meanwhile. The card is about the updates of the generator;
the text of a first stage is not in it.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode  # torch's own memory tracker stands on them

from iplkit.adapt.lean import InputsOnly
from iplkit.adapt.meter import measure
from iplkit.adapt.parts import Parts, draw_in_parts
from iplkit.adapt.selectors import rows_to_free
from iplkit.adapt.settings import AdaptSettings
from iplkit.errors import UserError
from iplkit.stylegan2.styles import parameters_of_rows

GB = 1e9
UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


@dataclass(frozen=True)
class Cost:
    """What a run needs.

    Args:
        parts: how its batches are drawn.
        memory: bytes of the process at most.
        step: seconds of one update of the generator.
        seconds: of all of them.
    """

    parts: Parts
    memory: float
    step: float
    seconds: float

    def sentence(self) -> str:
        """The card in one line."""
        drawn = f"{self.parts.images} image{'s' * (self.parts.images > 1)} at a time" + ", layer by layer" * self.parts.blockwise
        return f"{self.memory / GB:.2f} GB, {self.step:.3g} s a step, {self.seconds / 60:.1f} minutes; {drawn}"


def parse_memory(text: str) -> int:
    """Bytes from a text such as "6GB" or "512 MiB".

    Raises:
        UserError: if it is no such text.
    """
    word = text.strip().upper()
    unit = next((unit for unit in sorted(UNITS, key=len, reverse=True) if word.endswith(unit)), "")
    try:
        size = float(word.removesuffix(unit)) * UNITS[unit]
    except (KeyError, ValueError):
        size = 0
    if not 0 < size < 1e18:
        raise UserError(f"memory needs a number and a unit, for example 6GB; got {text!r}")
    return int(size)


def fit(generator: nn.Module, clips: Sequence[nn.Module], settings: AdaptSettings, budget: int | None) -> Cost:
    """The cost of the fastest way to draw a batch that stays within a budget.

    Args:
        generator: the source generator.
        clips: frozen.
        settings: of the run.
        budget: bytes of the process, everything included; None takes the whole batch at once.

    Raises:
        UserError: if no way does.
    """
    ways = [Parts(settings.batch)]
    size = settings.batch
    while budget is not None and size > 1:
        size = -(-size // 2)
        ways.append(Parts(size))
    ways += [Parts(1, blockwise=True)] if budget is not None else []
    held, least = resident(generator.synthesis.const.device), None  # before an image is drawn, whose memory is used again
    rate = machine_rate(generator)
    for way in ways:
        cost = predict(generator, clips, settings, way, rate, held)
        if budget is None or cost.memory <= budget:
            return cost
        least = cost.memory if least is None else min(least, cost.memory)
    raise UserError(f"this run needs {least / GB:.1f} GB of memory, one image at a time; --memory allows {budget / GB:.1f}")


def predict(
    generator: nn.Module, clips: Sequence[nn.Module], settings: AdaptSettings, parts: Parts, rate: float, held: int
) -> Cost:
    """What a run will need, from the shapes of one update, operations a second, and bytes that the process holds already."""
    shapes = FakeTensorMode()
    with FakeCopyMode(shapes):
        source, target, *eyes = (copy.deepcopy(model).requires_grad_(False) for model in (generator, generator, *clips))
    trained, votes = trained_share(target, settings), (0, 0)
    with shapes:
        alive, operations = measure(lambda: _update(source, target, eyes, settings, parts))
        if settings.selector == "adaptive" and trained < 1:
            votes = measure(lambda: _vote(source, eyes[0], settings, parts))
    weights = sum(p.nbytes for p in target.synthesis.parameters())
    copies = weights * (1 + (settings.ema > 0) + 2) + sum(p.nbytes for p in target.mapping.parameters()) * (1 + (settings.ema > 0))
    step = (operations + votes[1] / max(settings.select_every, 1)) / rate
    memory = held + copies + max(alive, votes[0])
    return Cost(parts, memory, step, step * settings.steps)


def trained_share(generator: nn.Module, settings: AdaptSettings) -> float:
    """Free the parameters that the settings train, and say which share of all rows that is.

    Which rows an adaptive choice takes is not known before; the last ones, whose maps are the largest, stand for them.
    """
    count = {"adaptive": lambda: rows_to_free(settings, generator.num_ws), "oracle": lambda: len(settings.rows)}
    count = count.get(settings.selector, lambda: generator.num_ws)()
    if count >= generator.num_ws:
        generator.synthesis.requires_grad_(True)
    else:
        for parameter in parameters_of_rows(generator, range(generator.num_ws - count, generator.num_ws)):
            parameter.requires_grad_(True)
    return count / generator.num_ws


def _grain(synthesis: nn.Module, n: int, noise: str) -> dict[str, Tensor | None]:
    if noise == "none":
        return synthesis.draw_noise(n, "none")
    stored = synthesis.draw_noise(1, "const")
    return {name: value.new_empty(n, 1, *value.shape) for name, value in stored.items()}


def _update(source: nn.Module, target: nn.Module, eyes: Sequence[nn.Module], settings: AdaptSettings, parts: Parts) -> None:
    """One update on shapes: source images, adapted images, CLIP, and back; the gradients stay, as Adam needs them."""
    ws = torch.empty(settings.batch, source.num_ws, source.config.w_dim, device=source.synthesis.const.device)
    images = draw_in_parts(target.synthesis, ws, _grain(target.synthesis, len(ws), settings.noise), parts)
    views = images.repeat_interleave(settings.views, 0) * 1.0 if settings.views else images
    with torch.no_grad():
        before = draw_in_parts(source.synthesis, ws, _grain(source.synthesis, len(ws), settings.noise), parts)
        before = before.repeat_interleave(settings.views, 0) if settings.views else before
        for eye in eyes:
            eye.encode_image(before)
        del before
    loss = sum(F.normalize(eye.encode_image(views), dim=-1).sum() for eye in eyes)
    del images, views
    loss.backward()


def _vote(generator: nn.Module, eye: nn.Module, settings: AdaptSettings, parts: Parts) -> None:
    micro = min(settings.select_micro, parts.images)
    for _ in range(-(-settings.select_batch // micro)):
        ws = torch.empty(micro, generator.num_ws, generator.config.w_dim, device=generator.synthesis.const.device).requires_grad_(True)
        with InputsOnly():
            eye.encode_image(generator.synthesis(ws, noise_mode="const")).sum().backward()


@torch.no_grad()
def machine_rate(generator: nn.Module, rounds: int = 3) -> float:
    """Operations a second while the generator draws one image; the best of a few."""
    device, found = generator.synthesis.const.device, []
    ws = torch.zeros(1, generator.num_ws, generator.config.w_dim, device=device)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    operations = measure(lambda: generator.synthesis(ws, noise_mode="none"))[1]  # the first image also loads code
    for _ in range(rounds):
        wait()
        began = time.perf_counter()
        generator.synthesis(ws, noise_mode="none")
        wait()
        found.append(time.perf_counter() - began)
    return operations / min(found)


def resident(device: torch.device = torch.device("cpu")) -> int:
    """Bytes this process holds now; on a GPU what torch holds there."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    status = Path("/proc/self/statm")
    if status.is_file():
        return int(status.read_text().split()[1]) * 4096
    return peak()


def peak(device: torch.device = torch.device("cpu")) -> int:
    """Bytes this process held at most, or 0 where the system does not say (Windows)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
        import sys
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def compared(cost: Cost, log: list[dict], device: torch.device = torch.device("cpu")) -> str:
    """Predicted beside measured, in one line."""
    step = sorted(row["seconds"] for row in log)[len(log) // 2] if log else 0.0
    held = peak(device)
    lines = [f"a step {cost.step:.3g} s predicted, {step:.3g} s measured"] if step else []
    lines += [f"memory {cost.memory / GB:.2f} GB predicted, {held / GB:.2f} GB measured"] if held else []
    return "; ".join(lines)


def lean_settings(settings: AdaptSettings, parts: Parts) -> AdaptSettings:
    """The settings with as many votes at a time as images; what is chosen stays the same."""
    return replace(settings, select_micro=min(settings.select_micro, parts.images))
