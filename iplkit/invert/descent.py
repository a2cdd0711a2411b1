"""The one descent behind every optimisation here: a walker, a schedule, a log, checkpoints, and going on after a kill.

Pictures of a batch do not see each other: both walkers work picture by picture, and the loss is a sum over pictures.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from iplkit.errors import UserError
from iplkit.invert.walkers import Adam, Lbfgs
from iplkit.weights import read_weights, write_weights

Free = dict[str, Tensor]  # name -> [N, ...]
CHECKPOINT = "descent.safetensors"
WALKERS = ("adam", "lbfgs")


@dataclass(frozen=True)
class Schedule:
    """How far and how fast.

    Args:
        steps: each looks once at the pictures.
        lr: Adam's rate between rise and fall; L-BFGS takes its first step a tenth as far, and then has rates of its own.
        rise: share of the steps over which the rate grows in a line.
        fall: share of the steps over which it returns to 0, as half a cosine.
        walker: "adam" or "lbfgs".
        betas: Adam's.
        save_every: steps between checkpoints.
    """

    steps: int
    lr: float
    rise: float = 0.05
    fall: float = 0.25
    walker: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    save_every: int = 50

    def __post_init__(self):
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON knows only lists
        if self.steps < 0 or self.lr <= 0 or self.save_every < 1 or not (0 <= self.rise <= 1 and 0 <= self.fall <= 1):
            raise UserError(f"a schedule needs steps from 0 up, a positive rate and shares in [0, 1]; got {self}")
        if self.walker not in WALKERS:
            raise UserError(f"a walker is one of {', '.join(WALKERS)}; got {self.walker!r}")

    def rate(self, step: int) -> float:
        """The learning rate of one step.

        The projector's of Karras et al. 2020, App. D, whose first step has rate 0: here step i counts as begun while the
        rate rises, so that none is lost.
        """
        done, begun = step / max(self.steps, 1), (step + 1) / max(self.steps, 1)
        up = min(1.0, begun / self.rise) if self.rise > 0 else 1.0
        down = min(1.0, (1 - done) / self.fall) if self.fall > 0 else 1.0
        return self.lr * up * (0.5 - 0.5 * math.cos(math.pi * down))


@dataclass(frozen=True)
class Run:
    """Circumstances of a descent, which change no number.

    Args:
        resume_dir: folder for the checkpoint of these pictures; None keeps none.
        key: what is computed; a checkpoint of something else is refused.
        bar: advanced by 1 a step.
    """

    resume_dir: Path | None = None
    key: str = ""
    bar: tqdm | None = None


def descend(
    free: Free,
    loss_of: Callable[[Free, int], Tensor],
    schedule: Schedule,
    run: Run = Run(),
    *,
    after: Callable[[Free], None] | None = None,
    rates: dict[str, float] | None = None,
) -> tuple[Free, Tensor, float]:
    """Move the free numbers downhill.

    Args:
        free: the start; it is copied.
        loss_of: (free, step) -> loss of each picture, ``[N]``. Its randomness must be a function of the step.
        schedule: see `Schedule`.
        run: see `Run`.
        after: called after each step of Adam with the numbers, for what must be put right in place.
        rates: name -> factor on Adam's rate for one of the tensors.

    Returns:
        The free numbers at the end (L-BFGS: the best ones), the losses of each step ``[steps, N]``, and the seconds spent.

    Raises:
        UserError: if a loss is not finite, or the folder holds another run.
    """
    shapes = {name: t.shape for name, t in free.items()}
    x = torch.cat([t.detach().flatten(1) for t in free.values()], dim=1)
    walker = Lbfgs(x, first=0.1 * schedule.lr * x.shape[1] ** 0.5) if schedule.walker == "lbfgs" else Adam(x, schedule.betas)
    columns = torch.cat([torch.full((s[1:].numel(),), (rates or {}).get(name, 1.0)) for name, s in shapes.items()]).to(x)
    losses, seconds = _resume(walker, run)
    began, first = time.perf_counter() - seconds, len(losses)
    _count(run, first)
    for step in range(first, schedule.steps):
        loss, gradient = _look(walker.point, shapes, loss_of, step)
        walker.step(loss, gradient, schedule.rate(step) * columns)
        if after is not None:
            after(dict(_parts(walker.point, shapes)))
        losses.append(loss.float().cpu())
        _count(run, 1)
        if run.resume_dir is not None and (step + 1) % schedule.save_every == 0:
            _save(walker, losses, time.perf_counter() - began, run)
    curve = torch.stack(losses) if losses else torch.zeros(0, len(x))
    return {name: t.clone() for name, t in _parts(walker.best, shapes)}, curve, time.perf_counter() - began


def _parts(x: Tensor, shapes: dict[str, torch.Size]) -> Iterator[tuple[str, Tensor]]:
    """Views of the columns that belong to each tensor."""
    start = 0
    for name, shape in shapes.items():
        width = shape[1:].numel()
        yield name, x[:, start : start + width].view(shape)
        start += width


def _look(x: Tensor, shapes: dict[str, torch.Size], loss_of, step: int) -> tuple[Tensor, Tensor]:
    """Loss of each picture ``[N]`` and gradient ``[N, P]``."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        loss = loss_of(dict(_parts(x, shapes)), step)
        if not bool(loss.isfinite().all()):
            raise UserError(f"an inversion needs finite losses; picture {int((~loss.isfinite()).nonzero()[0])} has none at step {step}")
        (gradient,) = torch.autograd.grad(loss.sum(), x)
    return loss.detach(), gradient


def _save(walker, losses: list[Tensor], seconds: float, run: Run) -> None:
    tensors = walker.state() | {"losses": torch.stack(losses)}
    write_weights(Path(run.resume_dir) / CHECKPOINT, tensors, {"key": run.key, "seconds": seconds})


def _resume(walker, run: Run) -> tuple[list[Tensor], float]:
    path = None if run.resume_dir is None else Path(run.resume_dir) / CHECKPOINT
    if path is None or not path.is_file():
        return [], 0.0
    tensors, about = read_weights(path)
    if about.get("key") != run.key:
        raise UserError(f"{path.parent} needs to hold a checkpoint of this inversion; it is one of other pictures, models or settings")
    losses = list(tensors.pop("losses"))
    walker.restore({name: t.to(walker.point.device) for name, t in tensors.items()})
    return losses, about["seconds"]


def _count(run: Run, steps: int) -> None:
    if run.bar is not None:
        run.bar.update(steps)
