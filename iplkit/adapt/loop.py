"""The one loop behind every method: five plugs in, an adapted generator out.

Sampling, pixel noise, views, averaging, logging, checkpoints and resuming are shared, so that a
comparison of two methods compares their plugs.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from iplkit.adapt.anchors import Anchor
from iplkit.adapt.checkpoints import load_checkpoint, save_checkpoint
from iplkit.adapt.directions import Direction, cosine_loss, image_direction
from iplkit.adapt.draws import draw
from iplkit.adapt.look import Look
from iplkit.adapt.regularizers import Regularizer, Step
from iplkit.adapt.selectors import Selector
from iplkit.adapt.settings import AdaptSettings
from iplkit.latents import sample_z


@dataclass(frozen=True)
class Plugs:
    """What a method is made of."""

    direction: Direction
    anchor: Anchor
    selector: Selector
    loss: Callable[[Tensor, Tensor], Tensor] = cosine_loss  # (delta_image, delta_text) -> scalar
    regularizers: tuple[Regularizer, ...] = ()


@dataclass
class State:
    """Where a run stands."""

    target: nn.Module
    ema: nn.Module | None
    optimizer: torch.optim.Optimizer
    step: int = 0
    rows: tuple[int, ...] = ()
    log: list[dict] = field(default_factory=list)
    whole: bool = True  # False in the middle of an update


def run_loop(
    generator_source: nn.Module,
    look: Look,
    plugs: Plugs,
    settings: AdaptSettings,
    seed: int,
    *,
    average: bool = True,
    resume_dir: Path | None = None,
    key: str = "",
    progress: bool = True,
) -> tuple[nn.Module, list[dict]]:
    """Adapt a copy of the generator; the source is not touched.

    Args:
        generator_source: the frozen generator.
        look: how CLIP sees images.
        plugs: the method.
        settings: how much and how fast.
        seed: of all draws.
        average: return the running average of the weights (if `settings.ema` is above 0), else the last ones.
        resume_dir: folder for checkpoints; a run found there is continued.
        key: what the run is, so that a folder of another run is refused.
        progress: show a bar with the time left.

    Returns:
        The adapted generator, and one row per step: step, loss, moved, rows, seconds.

    Raises:
        UserError: if `resume_dir` holds another run.
    """
    state = start(generator_source, plugs, settings, average)
    if resume_dir is not None:
        resume(state, Path(resume_dir), key)
    bar = tqdm(total=settings.steps, initial=state.step, desc="adapt", unit="step", disable=not progress)
    saved = state.step
    try:
        with bar:
            while state.step < settings.steps:
                row = advance(state, generator_source, look, plugs, settings, seed)
                bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
                bar.update()
                if resume_dir is not None and state.step % settings.save_every == 0:
                    saved = save(state, Path(resume_dir), key)
    except KeyboardInterrupt:
        if resume_dir is not None and state.whole and state.step > saved:
            save(state, Path(resume_dir), key)
        raise
    result = state.target if state.ema is None else state.ema
    return result.requires_grad_(False).eval(), state.log


def start(generator_source: nn.Module, plugs: Plugs, settings: AdaptSettings, average: bool) -> State:
    """The state before the first step: two copies of the source and a fresh Adam (betas 0 and `beta2`)."""
    target = copy.deepcopy(generator_source).requires_grad_(False)
    ema = copy.deepcopy(target) if average and settings.ema > 0 else None
    optimizer = torch.optim.Adam(target.synthesis.parameters(), lr=settings.lr, betas=(0.0, settings.beta2), eps=1e-8)
    return State(target, ema, optimizer)


def advance(
    state: State, generator_source: nn.Module, look: Look, plugs: Plugs, settings: AdaptSettings, seed: int
) -> dict:
    """One step: choose layers if it is time, compare moves, update, average; returns the log's row."""
    began, step = time.perf_counter(), state.step
    choose(state, plugs.selector)
    ws = sample_ws(generator_source, settings.batch, draw(seed, "z", step))
    loss, moved = step_loss(state.target, generator_source, look, plugs, settings, ws, step)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if settings.has("adam_ages_unchosen"):
        for p in state.target.synthesis.parameters():
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
    state.whole = False
    state.optimizer.step()
    if state.ema is not None:
        update_ema(state.ema, state.target, settings.ema)
    state.step += 1
    row = {"step": state.step, "loss": float(loss.detach()), "moved": moved, "rows": list(state.rows)}
    state.log.append(row | {"seconds": round(time.perf_counter() - began, 4)})
    state.whole = True
    return state.log[-1]


def choose(state: State, selector: Selector) -> None:
    """Free the layers of the selector's choice, at the steps where it chooses, and freeze the rest."""
    if not state.rows or (selector.every and state.step % selector.every == 0):
        state.rows = selector.choose(state.target, state.step)
    state.target.requires_grad_(False)
    for p in selector.parameters(state.target, state.rows):
        p.requires_grad_(True)


@torch.no_grad()
def sample_ws(generator: nn.Module, count: int, draws: torch.Generator) -> Tensor:
    """Fresh latents `[count, num_ws, 512]`, not truncated."""
    device = next(generator.parameters()).device
    return generator.mapping(sample_z(count, draws, generator.config.z_dim).to(device))


def step_loss(
    target: nn.Module, source: nn.Module, look: Look, plugs: Plugs, settings: AdaptSettings, ws: Tensor, step: int
) -> tuple[Tensor, float]:
    """The loss of one batch, and how far its images have moved on CLIP's sphere (mean chord, 0 to 2)."""
    delta_text = plugs.direction(ws[:, 0])  # [N, E] or [1, E]
    image_source = plugs.anchor(ws, step)  # [N * views, E]
    image_target = look(target, ws, step, side="target")  # [N * views, E]
    if len(delta_text) > 1:
        delta_text = delta_text.repeat_interleave(len(image_target) // len(delta_text), dim=0)
    floor = 1e-12 if settings.has("no_guard") else settings.floor
    loss = plugs.loss(image_direction(image_source, image_target, floor), delta_text)
    facts = Step(ws, image_source, image_target, source, target)
    for regularizer in plugs.regularizers:
        loss = loss + regularizer(facts)
    with torch.no_grad():
        chord = F.normalize(image_target, dim=-1) - F.normalize(image_source, dim=-1)
        moved = float(chord.norm(dim=-1).mean())
    return loss, moved


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average toward the model: ema <- decay * ema + (1 - decay) * model."""
    torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - decay)


def save(state: State, folder: Path, key: str) -> int:
    """Write a checkpoint; returns its step."""
    page = {"rows": list(state.rows), "log": state.log}
    save_checkpoint(folder, key, state.step, state.target, state.ema, state.optimizer, page)
    return state.step


def resume(state: State, folder: Path, key: str) -> None:
    """Continue from the folder's checkpoint, if there is one."""
    page = load_checkpoint(folder, key, state.target, state.ema, state.optimizer)
    if page is not None:
        state.step, state.rows, state.log = page["step"], tuple(page["rows"]), page["log"]
