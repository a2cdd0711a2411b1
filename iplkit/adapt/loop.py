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
from iplkit.adapt.compiled import paint_of
from iplkit.adapt.directions import Direction, cosine_loss, image_direction
from iplkit.adapt.draws import draw
from iplkit.adapt.look import Look
from iplkit.adapt.regularizers import Regularizer, Step
from iplkit.adapt.samples import mixed_ws, sample_ws
from iplkit.adapt.selectors import Selector
from iplkit.adapt.settings import AdaptSettings
from iplkit.adapt.stop import NotFinite, refuse_gradients, refuse_loss


@dataclass(frozen=True)
class Plugs:
    """What a method is made of."""

    direction: Direction
    anchor: Anchor
    selector: Selector
    loss: Callable[[Tensor, Tensor], Tensor] = cosine_loss  # (delta_image, delta_text) -> scalar
    regularizers: tuple[Regularizer, ...] = ()
    # Most methods need none of these.
    prepare: Callable[[nn.Module], None] | None = None  # gives the copy its own parameters, before the first step
    finish: Callable[[nn.Module], None] | None = None  # makes an ordinary generator of the copy, in place
    before: Callable[[nn.Module, int], None] | None = None  # (generator_target, step), before each step
    memory: nn.Module | None = None  # what the plugs remember between steps; kept in checkpoints
    eyes: tuple["Eye", ...] = ()  # further CLIPs


@dataclass(frozen=True)
class Eye:
    """One CLIP that looks at the images, and what a method asks of it."""

    look: Look
    plugs: Plugs


@dataclass
class State:
    """Where a run stands."""

    target: nn.Module
    ema: nn.Module | None
    optimizer: torch.optim.Optimizer
    step: int = 0
    rows: tuple[int, ...] = ()
    log: list[dict] = field(default_factory=list)
    memory: nn.Module | None = None
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
    about: dict | None = None,
    progress: bool = True,
    compile_with: str | Callable | None = None,
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
        about: the recipe in words a reader understands, for the checkpoint's page.
        progress: show a bar with the time left.
        compile_with: backend of `torch.compile` for the adapted images; None draws them as usual.

    Returns:
        The adapted generator, and one row per step: step, loss, moved, rows, seconds.

    Raises:
        UserError: if `resume_dir` holds another run.
        NotFinite: if a loss or gradient is not finite. It carries the last good generator, which is also
            written to `resume_dir`.
    """
    state = start(generator_source, plugs, settings, average)
    if resume_dir is not None:
        resume(state, Path(resume_dir), key)
    look.paint = paint_of(state.target.synthesis, compile_with)
    take = (lambda step: step()) if look.paint is None else look.paint.run
    bar = tqdm(total=settings.steps, initial=state.step, desc="adapt", unit="step", disable=not progress)
    saved = state.step
    try:
        with bar:
            while state.step < settings.steps:
                row = take(lambda: advance(state, generator_source, look, plugs, settings, seed))
                bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
                bar.update()
                if resume_dir is not None and state.step % settings.save_every == 0:
                    saved = save(state, Path(resume_dir), key, about)
    except (KeyboardInterrupt, NotFinite) as stop:
        if resume_dir is not None and state.whole and state.step > saved:
            save(state, Path(resume_dir), key, about)
        if isinstance(stop, NotFinite):
            stop.generator, stop.log = result_of(state, plugs), state.log
        raise
    finally:
        look.paint = None
    return result_of(state, plugs), state.log


def result_of(state: State, plugs: Plugs) -> nn.Module:
    """The generator a run returns: averaged if there is an average, ordinary, frozen."""
    result = state.target if state.ema is None else state.ema
    if plugs.finish is not None:
        plugs.finish(result)
    return result.requires_grad_(False).eval()


def start(generator_source: nn.Module, plugs: Plugs, settings: AdaptSettings, average: bool) -> State:
    """The state before the first step: two copies of the source and a fresh Adam (betas 0 and `beta2`)."""
    target = copy.deepcopy(generator_source).requires_grad_(False)
    if plugs.prepare is not None:
        plugs.prepare(target)
    ema = copy.deepcopy(target) if average and settings.ema > 0 else None
    optimizer = torch.optim.Adam(target.synthesis.parameters(), lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=1e-8)
    return State(target, ema, optimizer, memory=plugs.memory)


def advance(
    state: State, generator_source: nn.Module, look: Look, plugs: Plugs, settings: AdaptSettings, seed: int
) -> dict:
    """One step: choose layers if it is time, compare moves, update, average; returns the log's row."""
    began, step = time.perf_counter(), state.step
    if plugs.before is not None:
        plugs.before(state.target, step)
    choose(state, plugs.selector)
    ws = sample_ws(generator_source, settings.batch, draw(seed, "z", step))
    loss, moved = step_loss(state.target, generator_source, look, plugs, settings, ws, step)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    refuse_gradients(state.target.synthesis, step)
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


def step_loss(
    target: nn.Module, source: nn.Module, look: Look, plugs: Plugs, settings: AdaptSettings, ws: Tensor, step: int
) -> tuple[Tensor, float]:
    """The loss of one batch, and how far its images have moved on CLIP's sphere (mean chord, 0 to 2).

    Images are drawn once; every CLIP looks at the same ones. `moved` is what the first CLIP sees.
    """
    ws, ws_target = (mixed_ws(source, ws, settings, look.seed, step, side) for side in ("source", "target"))
    with look.autocast(ws.device):
        images = look.draw_images(target, ws_target, step, side="target")  # [N, 3, H, W]
    facts = [see(eye, source, target, ws, images, step) for eye in (Eye(look, plugs), *plugs.eyes)]
    loss = 0
    for eye, fact, weight in zip((Eye(look, plugs), *plugs.eyes), facts, settings.clip_weights, strict=True):
        loss = loss + weight * eye_loss(eye.plugs, fact, settings)
    with torch.no_grad():
        chord = F.normalize(facts[0].image_target, dim=-1) - F.normalize(facts[0].image_source, dim=-1)
        moved = float(chord.norm(dim=-1).mean())
    return loss, moved


def see(eye: Eye, source: nn.Module, target: nn.Module, ws: Tensor, images: Tensor, step: int) -> Step:
    """What one CLIP sees of a batch.

    NADA's code has no floor under the length of a move. Where the images have not moved at all, it encodes
    them again plus 1e-6 and takes what comes out at full length: a brightness too small to see, and rounding.
    So it escapes 0 / 0 on the first step, but that gradient is still some 100 000 times a usual one, and Adam
    remembers it. With noise of its own for each generator, as published, the images never are equal and
    the quirk does nothing.
    """
    image_source = eye.plugs.anchor(ws, step)  # [N * views, E]
    with eye.look.autocast(ws.device):
        image_target = eye.look.encode(images, step)  # [N * views, E]
        if eye.look.settings.has("reencode_equal"):
            moved = F.normalize(image_target.detach(), dim=-1) - F.normalize(image_source, dim=-1)
            image_target = eye.look.encode(images + 1e-6, step) if float(moved.sum()) == 0 else image_target
    return Step(ws, image_source, image_target, source, target, images, eye.look, step)


def eye_loss(plugs: Plugs, facts: Step, settings: AdaptSettings) -> Tensor:
    """The directional term and the regularizers of one CLIP.

    Raises:
        NotFinite: if the sum is not finite.
    """
    delta_text = plugs.direction(facts.ws[:, 0])  # [N, E] or [1, E]
    parts = {"a latent": facts.ws, "the text direction": delta_text, "a source image's feature": facts.image_source}
    parts |= {"an adapted image": facts.images_target, "an adapted image's feature": facts.image_target}
    if len(delta_text) > 1:
        delta_text = delta_text.repeat_interleave(len(facts.image_target) // len(delta_text), dim=0)
    floor = 1e-12 if settings.has("no_guard") else settings.floor
    delta_image = image_direction(facts.image_source, facts.image_target, floor)
    loss = settings.lambda_direction * plugs.loss(delta_image, delta_text)
    for regularizer in plugs.regularizers:
        loss = loss + regularizer(facts)
    refuse_loss(loss, facts.step, parts)
    return loss


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average toward the model: ema <- decay * ema + (1 - decay) * model."""
    torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - decay)


def save(state: State, folder: Path, key: str, about: dict | None = None) -> int:
    """Write a checkpoint; returns its step."""
    page = {"rows": list(state.rows), "log": state.log, "about": about or {}}
    modules = {"target": state.target, "ema": state.ema, "memory": state.memory}
    save_checkpoint(folder, key, state.step, modules, state.optimizer, page)
    return state.step


def resume(state: State, folder: Path, key: str) -> None:
    """Continue from the folder's checkpoint, if there is one."""
    modules = {"target": state.target, "ema": state.ema, "memory": state.memory}
    page = load_checkpoint(folder, key, modules, state.optimizer)
    if page is not None:
        state.step, state.rows, state.log = page["step"], tuple(page["rows"]), page["log"]
