"""A batch drawn in parts, so that it fits into memory: the same images, and the same gradients up to rounding.

Each part forgets its way to the image and walks it again when its gradient is asked for (Chen et al. 2016, "Training Deep Nets
with Sublinear Memory Cost"). So memory is needed for one part at a time, for one more pass forward. CLIP still sees the whole
batch at once, so a loss that compares the images of a batch means what it meant.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iplkit.adapt.lean import InputsOnly
from iplkit.errors import UserError
from iplkit.stylegan2.generator import noise_of


@dataclass(frozen=True)
class Parts:
    """How a batch is drawn.

    Args:
        images: how many at a time.
        blockwise: within a part, go back layer by layer, too; for cards on which one image is too much.
    """

    images: int
    blockwise: bool = False

    def __post_init__(self):
        if self.images < 1:
            raise UserError(f"a part needs at least one image; got {self.images}")

    def passes(self, batch: int) -> int:
        """How often the way to the image is walked forward for one gradient."""
        return 1 + (self.images < batch) + self.blockwise


def draw_in_parts(synthesis: nn.Module, ws: Tensor, noise: dict[str, Tensor | None], parts: Parts) -> Tensor:
    """Images of some codes, ``[N, R, D]`` -> ``[N, 3, H, W]``.

    Args:
        synthesis: of a `Generator`.
        ws: latent codes.
        noise: of the whole batch, from `Synthesis.draw_noise`.
        parts: how.
    """
    whole = parts.images >= len(ws)
    drawn = []
    for start in range(0, len(ws), parts.images):
        some = slice(start, start + parts.images)
        grain = noise_of(noise, some)
        if whole or not torch.is_grad_enabled():
            drawn.append(_draw(synthesis, ws[some], grain, parts))
        else:
            drawn.append(checkpoint(_draw, synthesis, ws[some], grain, parts, use_reentrant=False, preserve_rng_state=False))
    return drawn[0] if len(drawn) == 1 else torch.cat(drawn)


def _draw(synthesis: nn.Module, ws: Tensor, noise: dict[str, Tensor | None], parts: Parts) -> Tensor:
    styles = synthesis.styles(ws)
    if parts.blockwise and torch.is_grad_enabled():
        return synthesis.paint(styles, noise, blockwise=True)
    with InputsOnly():
        return synthesis.paint(styles, noise)
