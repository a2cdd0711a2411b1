"""One door to every way from a picture to a latent."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.invert.descent import Run
from iplkit.invert.encode import PASSES, encode
from iplkit.invert.optimize import REFINE, OptimizeSettings, check_images, optimize
from iplkit.invert.perceptual import Perceptual, critic_perceptual
from iplkit.invert.plus import PlusSettings, plus
from iplkit.invert.project import ProjectSettings, project
from iplkit.invert.result import Inversion, decibels, join
from iplkit.invert.spaces import SPACES

METHODS = ("optimize", "project", "plus", "encode", "encode+refine")
DEFAULTS = {"optimize": OptimizeSettings(), "project": ProjectSettings(), "plus": PlusSettings(), "encode+refine": REFINE}
Coder = Callable[[Tensor], Tensor]  # images [N, 3, S, S] -> ws [N, R, D]


def invert(
    images: Tensor,
    generator: nn.Module,
    method: str = "encode+refine",
    *,
    space: str | None = None,
    steps: int | None = None,
    passes: int = PASSES,
    reach: float = 1.0,
    seed: int = 0,
    start: str | Tensor = "mean",
    encoder: nn.Module | Coder | None = None,
    perceptual: Perceptual | None = None,
    settings: OptimizeSettings | ProjectSettings | PlusSettings | None = None,
    batch: int = 16,
    resume_dir: str | Path | None = None,
    progress: bool = True,
) -> Inversion:
    """Find codes that draw some pictures.

    Args:
        images: aligned pictures at the generator's size, ``[N, 3, S, S]`` in [-1, 1].
        generator: frozen; it is not touched.
        method: "optimize" (Image2StyleGAN), "project" (StyleGAN2's projector), "plus" (Image2StyleGAN++: noise maps after
            the code), "encode" (some passes of an encoder), "encode+refine" (then an optimisation from there).
        space: "z", "w", "w+" or "s"; None is "w" for the projector and "w+" for all others.
        steps: of the optimisation, and of each of the two of "plus"; None leaves the settings' own number.
        passes, reach: of the world's encoder, see `iplkit.invert.encode.encode`.
        seed: of every draw (a uniform start, the projector's noise); the same seed gives the same codes.
        start: "mean", "zeros", "uniform", or ws ``[N, R, D]``; an encoder's method begins where the encoder says.
        encoder: the world's (None loads it from the zoo), or any function of pictures that gives ws ``[N, R, D]``.
        perceptual: the perceptual term; None takes the first layers of the shipped critic.
        settings: of the method; None takes its defaults, which are the world's.
        batch: pictures that are searched for together; changes speed and memory, and results by rounding only.
        resume_dir: folder for checkpoints; a killed run goes on from there, and ends in the same bytes.
        progress: show a bar with the time left.

    Returns:
        An `Inversion`, on the CPU or wherever the generator is.

    Raises:
        UserError: unknown method, space or start; pictures of another shape, size or range; an encoder whose codes do
            not fit the generator; a folder that holds another run.
    """
    images = check_images(images, generator)
    settings = _settings(method, settings, steps)
    space = space or ("w" if method == "project" else "w+")
    if space not in SPACES or (space == "z" and method == "encode+refine"):
        raise UserError(f"{method} works in one of {', '.join(SPACES[1:] if 'encode' in method else SPACES)}; got {space!r}")
    generator = fast_copy(generator)
    perceptual = perceptual or (None if method == "encode" else critic_perceptual(fast_copy(zoo.load("critic").to(_device(generator)))))
    codes, passed = start, None
    if method.startswith("encode"):
        passed = _encode(images, generator, encoder, passes, reach)
        if method == "encode":
            return _encoded(images, generator, passed)
        codes = passed[-1]
    key = "" if resume_dir is None else _key(images, generator, method, space, codes, seed, settings, perceptual, batch)
    parts, many = [], len(images.split(batch))
    with tqdm(total=many * _steps(settings), desc="invert", unit="step", disable=not progress) as bar:
        for number, rows in enumerate(torch.arange(len(images)).split(batch)):
            begin = codes[rows] if isinstance(codes, Tensor) else codes
            folder = None if resume_dir is None else Path(resume_dir) / f"part-{number:04d}"
            what = dict(space=space, start=begin, settings=settings, seed=seed, first=int(rows[0]))
            parts.append(_one_batch(images[rows], generator, perceptual, what, folder, key, bar))
    found = join(parts)
    return found if passed is None else replace(found, passes=passed, about=found.about | {"method": method})


def _one_batch(images: Tensor, generator: nn.Module, perceptual: Perceptual, what: dict, folder: Path | None, key: str, bar: tqdm) -> Inversion:
    settings = what["settings"]
    if isinstance(settings, PlusSettings):
        runs = tuple(Run(folder and folder / name, key, bar) for name in ("code", "noise"))
        return plus(images, generator, perceptual, runs=runs, **what)
    method = project if isinstance(settings, ProjectSettings) else optimize
    return method(images, generator, perceptual, run=Run(folder, key, bar), **what)


def _settings(method: str, settings, steps: int | None):
    """The method's settings with another number of steps."""
    if method not in METHODS:
        raise UserError(f"a method is one of {', '.join(METHODS)}; got {method!r}; {zoo.nearest(method, METHODS)}")
    if method == "encode":
        return None
    settings = settings or DEFAULTS[method]
    if type(settings) is not type(DEFAULTS[method]):
        raise UserError(f"{method} needs {type(DEFAULTS[method]).__name__}; got {type(settings).__name__}")
    if steps is None:
        return settings
    if isinstance(settings, PlusSettings):
        return replace(settings, code=replace(settings.code, steps=steps), noise=replace(settings.noise, steps=steps))
    return replace(settings, schedule=replace(settings.schedule, steps=steps))


def _steps(settings) -> int:
    return settings.code.steps + settings.noise.steps if isinstance(settings, PlusSettings) else settings.schedule.steps


def fast_copy(module: nn.Module) -> nn.Module:
    """A frozen copy in the memory layout in which a CPU convolves faster; its numbers are the same."""
    return copy.deepcopy(module).eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


def _encode(images: Tensor, generator: nn.Module, encoder: nn.Module | Coder | None, passes: int, reach: float) -> Tensor:
    """The codes after each pass, ``[P, N, R, D]``."""
    encoder = zoo.load("encoder").to(_device(generator)) if encoder is None else encoder
    if hasattr(encoder, "config") and hasattr(encoder.config, "basis"):
        return encode(images, encoder, generator, passes, reach)
    with torch.no_grad():
        ws = encoder(images)
    wanted = (len(images), generator.num_ws, generator.config.w_dim)
    if not isinstance(ws, Tensor) or ws.shape != wanted:
        raise UserError(f"an encoder must give ws of shape {list(wanted)}; got {list(getattr(ws, 'shape', []))}")
    return ws[None].to(images)


@torch.no_grad()
def _encoded(images: Tensor, generator: nn.Module, passed: Tensor) -> Inversion:
    made = [torch.cat([generator.synthesis(part, noise_mode="none") for part in ws.split(32)]) for ws in passed]
    losses = torch.stack([((m - images) / 2).square().mean(dim=(1, 2, 3)) for m in made])
    ws, about = passed[-1], {"method": "encode", "space": "w+", "passes": len(passed)}
    return Inversion(ws, generator.synthesis.styles(ws), None, made[-1], losses, decibels(made[-1], images), 0.0, about, passed)


def _key(images, generator, method, space, codes, seed, settings, perceptual, batch) -> str:
    """What a checkpoint must belong to."""
    digest = hashlib.sha256()
    for tensor in (images, *generator.state_dict().values(), *([codes] if isinstance(codes, Tensor) else [])):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    words = [method, space, codes if isinstance(codes, str) else "given", seed, asdict(settings), perceptual.name, batch]
    digest.update(json.dumps(words, sort_keys=True).encode())
    return digest.hexdigest()
