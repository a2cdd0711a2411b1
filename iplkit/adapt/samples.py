"""Latents of a step: fresh ones, and pairs of them mixed at a random row."""

import torch
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.adapt.settings import AdaptSettings
from iplkit.latents import mix, sample_z


@torch.no_grad()
def sample_ws(generator: nn.Module, count: int, draws: torch.Generator) -> Tensor:
    """Fresh latents `[count, num_ws, 512]`, not truncated."""
    device = next(generator.parameters()).device
    return generator.mapping(sample_z(count, draws, generator.config.z_dim).to(device))


def mixed_ws(generator: nn.Module, ws: Tensor, settings: AdaptSettings, seed: int, step: int, side: str = "source") -> Tensor:
    """Style mixing, with probability `settings.mixing` a step: from a random row on, other latents (Karras et al. 2019, Sec. 3.1).

    Both generators get the same mixture. With the quirk "mixing_unpaired" the adapted one changes
    over at another row, as in the published code, and the image direction holds the difference.

    Args:
        generator: the source generator, for its mapping network.
        ws: latents of the step, `[N, num_ws, 512]`. Row 0 is never replaced.
        settings: for the probability and the quirk.
        seed, step: of the draw.
        side: "source" or "target"; matters for the quirk only.

    Returns:
        `[N, num_ws, 512]`; `ws` itself where nothing is mixed.
    """
    if settings.mixing == 0:
        return ws
    draws = draw(seed, "mixing", step)
    if float(torch.rand((), generator=draws)) >= settings.mixing:
        return ws
    other = sample_ws(generator, len(ws), draws)
    unpaired = settings.has("mixing_unpaired") and side == "target"
    place = draw(seed, "crossover of target" if unpaired else "crossover", step)
    return mix(ws, other, int(torch.randint(1, ws.shape[1], (), generator=place)))
