"""The one descent behind every optimisation here: Adam, a schedule, a log, checkpoints, and going on after a kill.

Pictures of a batch do not see each other: Adam works number by number, and the loss is a sum over pictures.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iplkit.adapt.checkpoints import load_checkpoint, save_checkpoint
from iplkit.errors import UserError


@dataclass(frozen=True)
class Schedule:
    """How far and how fast.

    Args:
        steps: of Adam.
        lr: its rate between rise and fall.
        rise: share of the steps over which the rate grows from 0, in a line.
        fall: share of the steps over which it returns to 0, as half a cosine.
        betas: Adam's.
        save_every: steps between checkpoints.
    """

    steps: int
    lr: float
    rise: float = 0.05
    fall: float = 0.25
    betas: tuple[float, float] = (0.9, 0.999)
    save_every: int = 50

    def __post_init__(self):
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON knows only lists
        if self.steps < 0 or self.lr <= 0 or self.save_every < 1 or not (0 <= self.rise <= 1 and 0 <= self.fall <= 1):
            raise UserError(f"a schedule needs steps from 0 up, a positive rate and shares in [0, 1]; got {self}")

    def rate(self, step: int) -> float:
        """The learning rate of one step.

        The projector's of Karras et al. 2020, App. D, whose first step would have rate 0: here step i stands at (i + 1) / steps
        while the rate rises, so that no step is lost.
        """
        done, begun = step / max(self.steps, 1), (step + 1) / max(self.steps, 1)
        up = min(1.0, begun / self.rise) if self.rise > 0 else 1.0
        down = min(1.0, (1 - done) / self.fall) if self.fall > 0 else 1.0
        return self.lr * up * (0.5 - 0.5 * math.cos(math.pi * down))


@dataclass(frozen=True)
class Run:
    """Circumstances of a descent, which change no number.

    Args:
        resume_dir: folder for checkpoints of this batch; None keeps none.
        key: what is computed; a folder of something else is refused.
        bar: advanced by 1 a step.
    """

    resume_dir: Path | None = None
    key: str = ""
    bar: tqdm | None = None


def descend(
    free: dict[str, Tensor],
    loss_of: Callable[[dict[str, Tensor], int], Tensor],
    schedule: Schedule,
    run: Run = Run(),
    *,
    after: Callable[[dict[str, Tensor]], None] | None = None,
    rates: dict[str, float] | None = None,
) -> tuple[dict[str, Tensor], Tensor, float]:
    """Move the free numbers downhill.

    Args:
        free: the start; it is copied.
        loss_of: (free, step) -> loss of each picture, ``[N]``. Its randomness must be a function of the step.
        schedule: see `Schedule`.
        run: see `Run`.
        after: called after each step, for what must be put right in place.
        rates: name -> factor on the rate of one of the free tensors.

    Returns:
        The free numbers at the end, the losses before each step ``[steps, N]``, and the seconds of this call.

    Raises:
        UserError: if a loss is not finite, or the folder holds another run.
    """
    held = nn.ParameterDict({_safe(name): nn.Parameter(t.detach().clone()) for name, t in free.items()})
    shown = dict(zip(free, held.values()))
    groups = [{"params": [p], "factor": (rates or {}).get(name, 1.0)} for name, p in shown.items()]
    optimizer = torch.optim.Adam(groups, lr=schedule.lr, betas=schedule.betas, eps=1e-8)
    first, losses = _resume(held, optimizer, run)
    began = time.perf_counter()
    _advance(run, first)
    for step in range(first, schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step) * group["factor"]
        loss = loss_of(shown, step)
        if not bool(loss.isfinite().all()):
            raise UserError(f"an inversion needs finite losses; picture {int((~loss.isfinite()).nonzero()[0])} has none at step {step}")
        gradients = torch.autograd.grad(loss.sum(), list(shown.values()), allow_unused=True)
        for p, gradient in zip(shown.values(), gradients):
            p.grad = gradient
        optimizer.step()
        if after is not None:
            after(shown)
        losses.append(loss.detach().float().cpu())
        _advance(run, 1)
        if run.resume_dir is not None and (step + 1) % schedule.save_every == 0:
            page = {"losses": torch.stack(losses).tolist()}
            save_checkpoint(Path(run.resume_dir), run.key, step + 1, {"free": held}, optimizer, page)
    n = len(next(iter(free.values())))
    found = {name: p.detach() for name, p in shown.items()}
    return found, torch.stack(losses) if losses else torch.zeros(0, n), time.perf_counter() - began


def _safe(name: str) -> str:
    """A module's parameter may not be called as one of its methods."""
    return f"at_{name}"


def _resume(held: nn.ParameterDict, optimizer: torch.optim.Optimizer, run: Run) -> tuple[int, list[Tensor]]:
    page = None if run.resume_dir is None else load_checkpoint(Path(run.resume_dir), run.key, {"free": held}, optimizer)
    return (0, []) if page is None else (page["step"], list(torch.tensor(page["losses"])))


def _advance(run: Run, steps: int) -> None:
    if run.bar is not None:
        run.bar.update(steps)
