"""What all trainings share: named phases, a schedule, an average of the weights, checkpoints, a log and a card.

A step draws its random numbers from a generator made of the phase's seed and the step's number, so a training that was
stopped goes on as if it had not been. On one machine with one thread count, the same phases give the same weights.
"""

import json
import math
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.weights import atomic_path, read_weights, sha256

LossOfStep = Callable[[int, torch.Generator], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Phase:
    """One stretch of a training with one goal."""

    name: str
    steps: int
    lr: float
    seed: int
    batch: int
    warmup: int = 100  # steps
    share: float = 1.0  # of a time budget; the phases' shares are divided by their sum
    ema: float = 0.998
    weight_decay: float = 0.02
    start: str = ""  # a committed file of weights to start from
    start_sha256: str = ""
    settings: dict = field(default_factory=dict)

    def __post_init__(self):
        if bool(self.start) != bool(self.start_sha256):
            raise UserError(f"phase {self.name} needs a hash with its start file; got {self.start!r} and {self.start_sha256!r}")


@dataclass(frozen=True)
class Recipe:
    """How one model is made.

    Args:
        name: of the model and of its files.
        phases: in order; a phase of no steps is off.
        build: makes the untrained model.
        pools: name -> settings of the pools it reads.
        begin: (model, phase, pools) -> the loss of a step.
        check: (model, pools) -> scores on held-out pictures, for the card.
        save: (path, model, metadata, dtype) writes the model's file.
    """

    name: str
    phases: tuple[Phase, ...]
    build: Callable[[], nn.Module]
    pools: dict
    begin: Callable[[nn.Module, Phase, dict], LossOfStep]
    check: Callable[[nn.Module, dict], dict[str, float]]
    save: Callable

    def train(self, cache: Path, steps: int | None = None, minutes: float | None = None, device: str = "cpu", threads: int = 1) -> Path:
        """Run all phases; see `Training`. Returns the file of the averaged weights."""
        return Training(self, Path(cache), device, threads).run(steps, minutes)


@dataclass(frozen=True)
class OfModels(Recipe):
    """A recipe whose functions also get, as their first argument, the models that it builds on.

    Args:
        models_of: cache -> these models; asked for when training begins.
    """

    models_of: Callable[[Path], object]

    def train(self, cache: Path, **how) -> Path:
        """See `Recipe.train`."""
        models = self.models_of(cache)
        parts = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        parts |= {name: partial(parts[name], models) for name in ("build", "begin", "check")}
        return Recipe(**parts).train(cache, **how)


def fast(device: str):
    """The number format of a training step: bfloat16 where the processor has it, else float32."""
    has = torch.cpu._is_avx512_bf16_supported() if device == "cpu" else torch.cuda.is_bf16_supported()
    return torch.autocast(device.split(":")[0], torch.bfloat16) if has else nullcontext()


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step."""
    return torch.Generator().manual_seed(seed * 10_000_019 + step)


def learning_rate(phase: Phase, step: int, progress: float) -> float:
    """A linear warm-up by steps, then half a cosine down to 2 % by `progress` in [0, 1]."""
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return phase.lr * min(1.0, (step + 1) / max(1, phase.warmup)) * cosine


def optimizer_of(model: nn.Module, phase: Phase) -> torch.optim.Optimizer:
    """AdamW; matrices decay, biases and norms do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1]
    rest = [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": phase.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=phase.lr, betas=(0.9, 0.98), fused=True)


@torch.no_grad()
def move_average(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Exponential moving average of parameters and floating buffers (g_ema); other buffers are copied."""
    for a, b in zip(average.state_dict().values(), module.state_dict().values()):
        a.lerp_(b, 1 - decay) if a.is_floating_point() else a.copy_(b)


def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards the model's; fast at first, then by 1 - `decay` a step."""
    move_average(average, model, min(decay, (1 + step) / (10 + step)))


class Training:
    """A recipe being carried out in ``cache/NAME``: state, log and result live there.

    Args:
        recipe: what to do.
        cache: folder of pools and trainings.
        device: "cpu" or "cuda".
        threads: for torch on a CPU; results are the same only for the same number.
    """

    def __init__(self, recipe: Recipe, cache: Path, device: str = "cpu", threads: int = 1):
        from iplkit.train.pool import Pool

        torch.set_num_threads(threads)
        self.recipe, self.device, self.threads = recipe, device, threads
        self.folder = Path(cache) / recipe.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pools = {name: Pool(Path(cache) / name) for name in recipe.pools}
        self.model = recipe.build().to(device)
        if device == "cpu":
            self.model = self.model.to(memory_format=torch.channels_last)
        self.average = deepcopy(self.model)
        self.done: list[dict] = []  # finished phases, for the card
        self.state = {"phase": 0, "step": 0, "seconds": 0.0}
        self.optimizer = None
        self.resume()

    def resume(self) -> None:
        """Load the last checkpoint, if there is one."""
        path = self.folder / "state.pt"
        if path.is_file():
            saved = torch.load(path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            self.state, self.done, self._optimizer_state = saved["state"], saved["done"], saved["optimizer"]
        else:
            self._optimizer_state = None

    def checkpoint(self) -> None:
        """Write the whole state, so that a stopped training goes on from here."""
        saved = {"model": self.model.state_dict(), "average": self.average.state_dict(), "state": self.state, "done": self.done}
        saved["optimizer"] = self.optimizer.state_dict() if self.optimizer else None
        with atomic_path(self.folder / "state.pt") as temporary:
            torch.save(saved, temporary)

    def run(self, steps: int | None = None, minutes: float | None = None) -> Path:
        """Carry out the phases.

        Args:
            steps: so many in every phase instead of its own number.
            minutes: fit the schedule to a time budget instead; the card tells the steps it took.

        Returns:
            The file of the averaged weights.
        """
        phases = [p for p in self.recipe.phases if p.steps > 0]
        whole = sum(p.share for p in phases)
        for k in range(self.state["phase"], len(phases)):
            phase = phases[k] if steps is None else replace(phases[k], steps=steps, warmup=min(phases[k].warmup, steps))
            budget = None if minutes is None else minutes * 60 * phase.share / whole
            self._phase(phase, budget)
            self.state = {"phase": k + 1, "step": 0, "seconds": 0.0}
            self.optimizer = self._optimizer_state = None
            self.checkpoint()
        return self.finish()

    def _start_of(self, phase: Phase) -> None:
        if phase.start and self.state["step"] == 0:
            if (found := sha256(phase.start)) != phase.start_sha256:
                raise UserError(f"phase {phase.name} needs {phase.start} with SHA-256 {phase.start_sha256}; it has {found}")
            tensors, _ = read_weights(phase.start)
            self.model.load_state_dict(tensors, strict=False)
            self.average.load_state_dict(tensors, strict=False)

    def _phase(self, phase: Phase, budget: float | None) -> None:
        self._start_of(phase)
        self.model.train()
        loss_of = self.recipe.begin(self.model, phase, self.pools)
        self.optimizer = optimizer_of(self.model, phase)
        if self._optimizer_state:
            self.optimizer.load_state_dict(self._optimizer_state)
        clock = said = kept = time.monotonic()
        window: list[dict] = []
        while True:
            step = self.state["step"]
            progress = step / phase.steps if budget is None else self.state["seconds"] / budget
            if progress >= 1:
                break
            window.append(self._step(phase, loss_of, step, progress))
            now = time.monotonic()
            self.state["step"], self.state["seconds"], clock = step + 1, self.state["seconds"] + now - clock, now
            if len(window) == 25 or now - said > 15:
                self._log(phase, window)
                if now - said > 10:
                    said = now
                    self._say(phase, window, budget)
                window = []
            if now - kept > 60:
                self.checkpoint()
                kept = now
        if window:
            self._log(phase, window)
        record = asdict(phase) | {"steps": self.state["step"], "seconds": round(self.state["seconds"], 1)}
        self.done.append(record)

    def _step(self, phase: Phase, loss_of: LossOfStep, step: int, progress: float) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(phase, step, progress)
        with fast(self.device):
            loss, numbers = loss_of(step, step_generator(phase.seed, step))
        if not bool(loss.isfinite()):
            raise UserError(f"{self.recipe.name} needs a finite loss; at step {step} of phase {phase.name} it is {float(loss.detach())}")
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        follow(self.average, self.model, phase.ema, step)
        return numbers | {"loss": float(loss.detach()), "lr": self.optimizer.param_groups[0]["lr"]}

    def _log(self, phase: Phase, window: list[dict]) -> None:
        means = {name: sum(w[name] for w in window) / len(window) for name in window[0]}
        line = {"phase": phase.name, "step": self.state["step"], "seconds": round(self.state["seconds"], 1)} | means
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _say(self, phase: Phase, window: list[dict], budget: float | None) -> None:
        step, seconds = self.state["step"], self.state["seconds"]
        left = (phase.steps - step) * seconds / max(step, 1) if budget is None else budget - seconds
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in window[-1].items() if name != "lr")
        end = f"step {step}" + (f" of {phase.steps}" if budget is None else "")
        print(f"{self.recipe.name} · {phase.name} · {end} · {numbers} · {step / seconds:.2f} steps/s · {left / 60:.1f} min left", flush=True)

    def finish(self) -> Path:
        """Check the averaged weights on held-out pictures, write them and their card."""
        self.average.eval()
        path = self.folder / "final.safetensors"
        with torch.no_grad():
            scores = self.recipe.check(self.average, self.pools)
        card = self.card(scores)
        self.recipe.save(path, self.average, {"card": {"name": card["name"], "scores": scores}}, None)
        with atomic_path(self.folder / "card.json") as temporary:
            temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(f"{self.recipe.name} · done · " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items()), flush=True)
        return path

    def card(self, scores: dict[str, float]) -> dict:
        """What a reader should know of the training."""
        seconds = sum(p["seconds"] for p in self.done)
        card = {"name": self.recipe.name, "license": "MIT", "parameters": sum(p.numel() for p in self.average.parameters())}
        card |= {"data": {name: asdict(pool.settings) for name, pool in self.pools.items()}, "phases": self.done}
        card |= {"device": processor() if self.device == "cpu" else torch.cuda.get_device_name(), "threads": self.threads}
        card |= {"hours": round(seconds / 3600, 3), "torch": torch.__version__, "scores": scores}
        return card | {"curve": curve(self.folder / "log.jsonl")}


def processor() -> str:
    """The name of the CPU, as well as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def curve(log: Path, points: int = 100) -> list[dict]:
    """The log thinned to about `points` lines; a step that was logged twice counts as logged last."""
    if not log.is_file():
        return []
    lines = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        lines[entry["phase"], entry["step"]] = {k: round(v, 5) if isinstance(v, float) else v for k, v in entry.items()}
    kept = list(lines.values())
    return kept[:: max(1, len(kept) // points)]
