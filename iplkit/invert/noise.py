"""Noise maps as unknowns: drawing with given ones, and keeping them noise.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", Sec. 5: without a price the maps would carry the
picture. The price is the correlation of each map with its neighbors, at its own size and at every half of it down to 8 pixels.

Axis letters: N images, H W space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.stylegan2.generator import Synthesis, ToRGB

Noises = dict[str, Tensor]  # layer -> [N, 1, H, W]


def draw_noises(synthesis: Synthesis, n: int, seed: int, first: int = 0) -> Noises:
    """Standard normal maps for every layer that takes noise; picture i gets the same ones in any company."""
    sizes = {name: layer.size for name, layer in synthesis.layers.items() if not isinstance(layer, ToRGB)}

    def one(name: str, size: int, i: int) -> Tensor:
        return torch.randn(1, size, size, generator=draw(seed, f"noise map {name}", first + i))

    return {name: torch.stack([one(name, size, i) for i in range(n)]).to(synthesis.const) for name, size in sizes.items()}


def draw_with(synthesis: Synthesis, styles: dict[str, Tensor], noises: Noises) -> Tensor:
    """`Synthesis.from_styles` with these noise maps instead of random or stored ones, ``[N, 3, S, S]``."""
    x, image = synthesis.const.expand(len(styles["conv4"]), -1, -1, -1), None
    for name, layer in synthesis.layers.items():
        if isinstance(layer, ToRGB):
            rgb = layer(x, styles[name])
            image = rgb if image is None else rgb + synthesis._upsample(image)
        else:
            x = layer(x, styles[name], noises[name], synthesis.fir)
    return image


def draw_images(generator: nn.Module, styles: dict[str, Tensor], noises: Noises | None, noise_mode: str = "none") -> Tensor:
    """The picture of some styles, with maps of its own where there are any."""
    if noises is not None:
        return draw_with(generator.synthesis, styles, noises)
    return generator.synthesis.from_styles(styles, noise_mode)


def neighbor_correlation(noises: Noises) -> Tensor:
    """How unlike noise the maps of each picture are, ``[N]``: 0 for endless white noise."""
    total = 0
    for x in noises.values():
        while True:
            for axis in (2, 3):
                total = total + (x * x.roll(1, dims=axis)).mean(dim=(1, 2, 3)).square()
            if x.shape[2] <= 8:
                break
            x = F.avg_pool2d(x, 2) * 2  # four independent numbers: the mean has half their spread
    return total


@torch.no_grad()
def normalize(noises: Noises) -> None:
    """Bring each map of each picture back to mean 0 and mean square 1, in place."""
    for x in noises.values():
        x -= x.mean(dim=(2, 3), keepdim=True)
        x *= x.square().mean(dim=(2, 3), keepdim=True).clamp_min(1e-12).rsqrt()
