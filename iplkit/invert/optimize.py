"""Image2StyleGAN: find the code whose picture is the given one, by descent on pixels and on what a network sees.

Abdal et al. 2019, "Image2StyleGAN: How to Embed Images Into the StyleGAN Latent Space?", Eq. (1):

    w* = argmin  L_percept(G(w), I) + lambda / N |G(w) - I|².

Axis letters: N images, R rows of W+ (num_ws), D width of w, S side of the picture.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.invert.descent import Run, Schedule, descend
from iplkit.invert.noise import Noises, draw_images
from iplkit.invert.perceptual import Perceptual
from iplkit.invert.result import Inversion, decibels
from iplkit.invert.spaces import begin, styles_of, ws_of


@dataclass(frozen=True)
class OptimizeSettings:
    """What is minimised, and how. The defaults are the world's; `PAPER` has Image2StyleGAN's own numbers.

    Args:
        schedule: of Adam.
        pixels: weight of the mean square difference, of pictures in [0, 1] as there.
        perceptual: weight of the perceptual term; 0 leaves it out.
        noise_mode: "none", or "const" for a generator whose stored noise belongs to its pictures.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(500, 0.1))
    pixels: float = 20.0
    perceptual: float = 0.05
    noise_mode: str = "none"

    def __post_init__(self):
        if self.pixels < 0 or self.perceptual < 0 or self.pixels + self.perceptual == 0:
            raise UserError(f"a loss needs weights of at least 0 that are not both 0; got {self.pixels} and {self.perceptual}")
        if self.noise_mode not in ("none", "const"):
            raise UserError(f"noise_mode must be none or const, since a search needs the same noise each time; got {self.noise_mode!r}")


REFINE = OptimizeSettings(Schedule(100, 0.1, walker="lbfgs"))
PAPER = OptimizeSettings(Schedule(5000, 0.01, rise=0.0, fall=0.0), pixels=1.0, perceptual=1.0, noise_mode="const")


def square_difference(images: Tensor, target: Tensor) -> Tensor:
    """Mean square difference of each picture, ``[N]``, of values in [0, 1] though the pictures are in [-1, 1]."""
    return ((images - target) / 2).square().mean(dim=(1, 2, 3))


def check_images(images: Tensor, generator: nn.Module) -> Tensor:
    """Pictures that a search can begin with, as float.

    Raises:
        UserError: another shape, size or range.
    """
    size = generator.config.size
    if images.ndim != 4 or images.shape[1:] != (3, size, size) or len(images) == 0:
        raise UserError(f"this generator needs pictures [N, 3, {size}, {size}]; got {list(images.shape)}")
    if not images.is_floating_point() or not bool(images.isfinite().all()) or float(images.abs().max()) > 1.01:
        raise UserError("an inversion needs pictures in [-1, 1]; these have other values")
    return images.float()


def optimize(
    images: Tensor,
    generator: nn.Module,
    perceptual: Perceptual | None,
    space: str = "w+",
    start: str | Tensor = "mean",
    settings: OptimizeSettings = OptimizeSettings(),
    seed: int = 0,
    first: int = 0,
    run: Run = Run(),
) -> Inversion:
    """Find codes of some pictures at once.

    Args:
        images: ``[N, 3, S, S]`` in [-1, 1].
        generator: frozen.
        perceptual: the perceptual term; None only if its weight is 0.
        space: "z", "w", "w+" or "s".
        start: see `iplkit.invert.spaces.begin`.
        settings: see `OptimizeSettings`.
        seed, first: see `iplkit.invert.spaces.begin`.
        run: see `iplkit.invert.descent.Run`.

    Raises:
        UserError: pictures or a start that do not fit; a weight without its term.
    """
    images = check_images(images, generator)
    if settings.perceptual > 0 and perceptual is None:
        raise UserError(f"a perceptual weight of {settings.perceptual} needs a perceptual network; got none")
    target = perceptual.target(images) if settings.perceptual > 0 else None

    def loss_of(free: dict[str, Tensor], step: int) -> Tensor:
        made = draw_images(generator, styles_of(free, generator), None, settings.noise_mode)
        loss = settings.pixels * square_difference(made, images) if settings.pixels > 0 else 0
        return loss + settings.perceptual * perceptual.distance(made, target) if target is not None else loss

    free, losses, seconds = descend(begin(space, start, generator, len(images), seed, first), loss_of, settings.schedule, run)
    about = {"method": "optimize", "space": space, "start": start if isinstance(start, str) else "given", "seed": seed}
    about |= {"settings": settings, "perceptual": perceptual.name if target is not None else ""}
    return finish(images, generator, free, None, losses, seconds, about, settings.noise_mode)


@torch.no_grad()
def finish(
    images: Tensor, generator: nn.Module, free: dict[str, Tensor], noises: Noises | None, losses: Tensor, seconds: float, about: dict, noise_mode: str
) -> Inversion:
    """Draw what was found, and measure it."""
    styles = styles_of(free, generator)
    made = draw_images(generator, styles, noises, noise_mode)
    ws = ws_of(free, generator)
    ws = None if ws is None else ws.clone()
    return Inversion(ws, styles, noises, made, losses, decibels(made, images), seconds, about)
