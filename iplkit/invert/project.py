"""StyleGAN2's own projector: W, wandering at first, with noise maps that must stay noise.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", Sec. 5 and App. D; the numbers are those of NVIDIA's
published projector. There, noise statistics are taken picture by picture; some other code takes them over the batch.

Axis letters: N images, D width of w.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.errors import UserError
from iplkit.invert.descent import Run, Schedule, descend
from iplkit.invert.noise import draw_images, draw_noises, neighbor_correlation, normalize
from iplkit.invert.optimize import check_images, finish, square_difference
from iplkit.invert.perceptual import Perceptual
from iplkit.invert.result import Inversion
from iplkit.invert.spaces import begin, styles_of

W_SAMPLES, W_SEED = 10_000, 123  # of NVIDIA's estimate of the width of W


@dataclass(frozen=True)
class ProjectSettings:
    """NVIDIA's numbers, except `pixels`, which are not compared there.

    Args:
        schedule: of Adam.
        wander: how far w is shaken at the first step, in widths of W.
        wander_share: of the steps, after which it is shaken no more.
        noise_weight: price of noise maps that are not noise; 0 leaves the maps out of the drawing.
        pixels: weight of the mean square difference of pictures in [0, 1].
        perceptual: weight of the perceptual term.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(1000, 0.1))
    wander: float = 0.05
    wander_share: float = 0.75
    noise_weight: float = 1e5
    pixels: float = 0.0
    perceptual: float = 1.0

    def __post_init__(self):
        if self.schedule.walker != "adam":
            raise UserError(f"the projector shakes its code, so only adam can walk; got {self.schedule.walker!r}")


def width_of_w(mapping: nn.Module) -> float:
    """Root of the mean squared distance of w from its mean: the length of a whole vector, not of one number."""
    z = torch.randn(W_SAMPLES, mapping.z_dim, generator=torch.Generator().manual_seed(W_SEED))
    with torch.no_grad():
        w = mapping.w(z.to(mapping.w_avg))
    return float((w - w.mean(0)).square().sum(1).mean().sqrt())


def project(
    images: Tensor,
    generator: nn.Module,
    perceptual: Perceptual,
    space: str = "w",
    start: str | Tensor = "mean",
    settings: ProjectSettings = ProjectSettings(),
    seed: int = 0,
    first: int = 0,
    run: Run = Run(),
) -> Inversion:
    """Find codes and noise maps of some pictures at once.

    Args:
        images: ``[N, 3, S, S]`` in [-1, 1].
        generator: frozen.
        perceptual: what compares pictures.
        space: "w" as published, or "w+".
        start, seed, first: see `iplkit.invert.spaces.begin`.
        settings, run: see there.

    Raises:
        UserError: another space; pictures or a start that do not fit.
    """
    images = check_images(images, generator)
    if space not in ("w", "w+"):
        raise UserError(f"the projector works in w or w+; got {space!r}")
    target, width = perceptual.target(images), width_of_w(generator.mapping)
    free = begin(space, start, generator, len(images), seed, first)
    (code,) = free
    maps = draw_noises(generator.synthesis, len(images), seed, first) if settings.noise_weight > 0 else {}

    def loss_of(now: dict[str, Tensor], step: int) -> Tensor:
        noises = {name: now[name] for name in maps} or None
        shaken = {code: now[code] + _wander(now[code], width, step, settings, seed, first)}
        made = draw_images(generator, styles_of(shaken, generator), noises)
        loss = settings.perceptual * perceptual.distance(made, target)
        loss = loss + settings.pixels * square_difference(made, images) if settings.pixels > 0 else loss
        return loss + settings.noise_weight * neighbor_correlation(noises) if noises else loss

    def after(now: dict[str, Tensor]) -> None:
        normalize({name: now[name] for name in maps})

    found, losses, seconds = descend(free | maps, loss_of, settings.schedule, run, after=after)
    about = {"method": "project", "space": space, "start": start if isinstance(start, str) else "given", "seed": seed}
    about |= {"settings": settings, "perceptual": perceptual.name}
    noises = {name: found[name] for name in maps} or None
    return finish(images, generator, {code: found[code]}, noises, losses, seconds, about, "none")


def _wander(code: Tensor, width: float, step: int, settings: ProjectSettings, seed: int, first: int) -> Tensor:
    """What is added to the code before it is drawn; less and less, and nothing in the end."""
    done = step / max(settings.schedule.steps, 1) / settings.wander_share
    size = width * settings.wander * max(0.0, 1 - done) ** 2
    shakes = [torch.randn(code.shape[1:], generator=draw(seed, f"wander {first + i}", step)) for i in range(len(code))]
    return size * torch.stack(shakes).to(code)
