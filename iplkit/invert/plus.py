"""Image2StyleGAN++: masks say what must agree with what, and noise maps carry what no code can.

Abdal et al. 2020, "Image2StyleGAN++: How to Edit the Embedded Images?", Eq. (1) and Alg. 1: first the code, then the noise maps
with the code held, since both at once are unstable there:

    L = s Style(Ms G, Ms y) + a |Mm (G - x)|² + b |(1 - Mm)(G - y)|² + p Percept(Mp G, Mp x).

Axis letters: N images, S side of the picture, C channels, h w space.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.invert.descent import Run, Schedule, descend
from iplkit.invert.noise import Noises, draw_images, draw_noises
from iplkit.invert.optimize import check_images, finish
from iplkit.invert.perceptual import Perceptual
from iplkit.invert.result import Inversion
from iplkit.invert.spaces import begin, styles_of

LEAST_STRENGTH = 1e-5  # a layer that adds less noise than this to its map has learned to do without


@dataclass(frozen=True)
class PlusSettings:
    """Weights of the four terms, and the two schedules.

    The published weights are 1e-5 each and 5e-7 for style. Adam does not see a common factor, so here they are near 1.

    Args:
        code: schedule of the code.
        noise: schedule of the noise maps; its rate is in units of what a layer adds to its feature map.
        inside: weight of the difference to the picture inside the mask.
        outside: weight of the difference to the other picture outside the mask.
        perceptual: weight of the perceptual term inside the mask.
        style: weight of the style term outside the mask, against the other picture.
    """

    code: Schedule = field(default_factory=lambda: Schedule(500, 0.1))
    noise: Schedule = field(default_factory=lambda: Schedule(300, 0.01))
    inside: float = 20.0
    outside: float = 20.0
    perceptual: float = 0.05
    style: float = 0.0


def gram(features: Tensor) -> Tensor:
    """Which channels are active together, wherever that is, ``[N, C, h, w]`` -> ``[N, C, C]``.

    Gatys et al. 2016, "Image Style Transfer Using Convolutional Neural Networks", Eq. (3), divided by the number of places.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def style_distance(images: Tensor, other: Tensor, perceptual: Perceptual) -> Tensor:
    """How differently the layers' channels go together, relative to the other picture, ``[N]``."""
    total = 0
    for a, b in zip(perceptual.features(images), perceptual.features(other), strict=True):
        a, b = gram(a.float()), gram(b.float())
        total = total + (a - b).square().sum(dim=(1, 2)) / b.square().sum(dim=(1, 2)).clamp_min(1e-8)
    return total


def check_mask(mask: Tensor | None, images: Tensor) -> Tensor:
    """A mask ``[N or 1, 1, S, S]`` in [0, 1]; None is all ones.

    Raises:
        UserError: another shape or range.
    """
    if mask is None:
        return torch.ones_like(images[:, :1])
    n, _, h, w = images.shape
    if mask.ndim != 4 or mask.shape[0] not in (1, n) or mask.shape[1:] != (1, h, w):
        raise UserError(f"a mask needs shape [{n} or 1, 1, {h}, {w}]; got {list(mask.shape)}")
    if not bool(((mask >= 0) & (mask <= 1)).all()):
        raise UserError("a mask needs values in [0, 1]; some are outside")
    return mask.to(images).expand(n, -1, -1, -1)


def plus(
    images: Tensor,
    generator: nn.Module,
    perceptual: Perceptual,
    *,
    mask: Tensor | None = None,
    other: Tensor | None = None,
    start: str | Tensor = "mean",
    space: str = "w+",
    settings: PlusSettings = PlusSettings(),
    seed: int = 0,
    first: int = 0,
    runs: tuple[Run, Run] = (Run(), Run()),
) -> Inversion:
    """The code, then the noise maps.

    Args:
        images: what is wanted inside the mask, ``[N, 3, S, S]`` in [-1, 1].
        generator: frozen.
        perceptual: compares what is inside the mask.
        mask: 1 inside, ``[N or 1, 1, S, S]``; None is all inside.
        other: what is wanted outside; None asks nothing there.
        start, space, seed, first: see `iplkit.invert.spaces.begin`.
        settings: see `PlusSettings`.
        runs: circumstances of the two descents.

    Returns:
        An `Inversion` with noise maps; its losses are those of both descents, one behind the other. Its dB compares with
        the picture inside the mask and the other one outside (all of the picture, where there is no other).

    Raises:
        UserError: pictures, mask or start that do not fit.
    """
    images, mask = check_images(images, generator), check_mask(mask, images)
    other = None if other is None else check_images(other, generator)
    target = perceptual.target(mask * images)

    def loss_of(styles: dict[str, Tensor], noises: Noises | None, fine: bool) -> Tensor:
        made = draw_images(generator, styles, noises)
        loss = settings.inside * _masked_square(made, images, mask)
        if other is not None:
            loss = loss + settings.outside * _masked_square(made, other, 1 - mask)
        if fine:
            return loss
        if other is not None and settings.style > 0:
            loss = loss + settings.style * style_distance((1 - mask) * made, (1 - mask) * other, perceptual)
        return loss + settings.perceptual * perceptual.distance(mask * made, target)

    free = begin(space, start, generator, len(images), seed, first)
    free, losses, seconds = descend(free, lambda now, step: loss_of(styles_of(now, generator), None, False), settings.code, runs[0])
    with torch.no_grad():
        styles = {name: s.clone() for name, s in styles_of(free, generator).items()}
    maps, rates = _maps(generator, len(images), seed, first)
    maps, more, extra = descend(maps, lambda now, step: loss_of(styles, now, True), settings.noise, runs[1], rates=rates)
    about = {"method": "plus", "space": space, "start": start if isinstance(start, str) else "given", "seed": seed}
    about |= {"settings": settings, "perceptual": perceptual.name, "layers with noise": list(maps)}
    wanted = images if other is None else mask * images + (1 - mask) * other
    return finish(wanted, generator, free, maps, torch.cat([losses, more]), seconds + extra, about, "none")


def _masked_square(made: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Mean square difference over the whole picture, of what the mask lets through, ``[N]``; values in [0, 1]."""
    return (mask * (made - wanted) / 2).square().mean(dim=(1, 2, 3))


def _maps(generator: nn.Module, n: int, seed: int, first: int) -> tuple[Noises, dict[str, float]]:
    """Maps of 0, which change no picture yet, and Adam's rates: the weaker a layer's noise, the farther its map must go.

    A drawn map, as published, would first have to be unlearned where noise is strong.
    """
    layers = generator.synthesis.layers
    maps = {name: torch.zeros_like(x) for name, x in draw_noises(generator.synthesis, n, seed, first).items()}
    strengths = {name: abs(float(layers[name].noise_strength)) for name in maps}
    return maps, {name: 1 / max(s, LEAST_STRENGTH) for name, s in strengths.items()}
