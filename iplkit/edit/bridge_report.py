"""FeatureToLatent, the bridge of a lab report, exactly as it was; and what its own settings allow it to do.

CLIP's feature of one photo goes through five linear layers with ReLU between them to 512 numbers, which are taken as z. Only
these layers learn: Adam at a rate of 1e-5, 200 steps, squared difference of the colors of that photo. Adam moves a weight by about
its rate in a step (at most 3.2 times that, Kingma and Ba 2015, Sec. 2.1), so by about 0.002 in all; weights begin between -1 and 1
over the root of the layer's width. Yet z is stretched to full length by the mapping, so that small moves can turn it far.

Axis letters: N pictures, E width of CLIP's features, S side.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.draws import draw_seed
from iplkit.errors import UserError

HIDDEN = 1024
LAYERS = 4  # of that width; a fifth makes z


class FeatureToLatent(nn.Module):
    """CLIP's feature to z: E - 1024 - 1024 - 1024 - 1024 - 512, torch's own initial weights.

    Args:
        embed_dim: E; 1024 in the report, which used RN50.
        z_dim: of the generator.
        seed: of the initial weights; the global random state is left as it was.
    """

    def __init__(self, embed_dim: int = 1024, z_dim: int = 512, seed: int = 0, hidden: int = HIDDEN):
        super().__init__()
        widths = [embed_dim] + [hidden] * LAYERS
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = [layer for i, o in zip(widths, widths[1:], strict=False) for layer in (nn.Linear(i, o), nn.ReLU())]
            self.layers = nn.Sequential(*parts, nn.Linear(widths[-1], z_dim))

    def forward(self, e: Tensor) -> Tensor:
        """z of unit features, ``[N, E]`` -> ``[N, z_dim]``."""
        return self.layers(e)


@dataclass(frozen=True)
class ReportSettings:
    """The report's numbers."""

    steps: int = 200
    rate: float = 1e-5
    noise_mode: str = "random"  # new noise in every step, as the generator does by default

    def __post_init__(self):
        if self.steps < 0 or self.rate <= 0:
            raise UserError(f"the report's training needs steps from 0 up and a positive rate; got {self.steps} and {self.rate}")


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    net: FeatureToLatent
    losses: list[float]  # before each step
    moved: float  # the farthest that any weight went
    began: float  # root mean square of the initial weights


def train_report(image: Tensor, e: Tensor, generator: nn.Module, settings: ReportSettings = ReportSettings(), seed: int = 0) -> Trained:
    """Train on one photo.

    Args:
        image: ``[1, 3, S, S]`` in [-1, 1], as large as the generator's pictures.
        e: its unit feature, ``[1, E]``.
        generator: frozen.
        settings: see `ReportSettings`.
        seed: of weights and noise.

    Raises:
        UserError: if it is not one photo of the generator's size with its feature.
    """
    size = generator.config.size
    if image.shape != (1, 3, size, size) or e.ndim != 2 or len(e) != 1:
        raise UserError(f"the report trains on one photo [1, 3, {size}, {size}] and its feature; got {tuple(image.shape)} and {tuple(e.shape)}")
    net = FeatureToLatent(e.shape[1], generator.config.z_dim, seed)
    before = [p.detach().clone() for p in net.parameters()]
    optimizer, losses = torch.optim.Adam(net.parameters(), lr=settings.rate), []
    for step in range(settings.steps):
        rng = torch.Generator().manual_seed(draw_seed(seed, "report noise", step))
        made = generator(net(e), noise_mode=settings.noise_mode, generator=rng)
        loss = F.mse_loss(made, image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    moved = max(float((p.detach() - b).abs().max()) for p, b in zip(net.parameters(), before, strict=True))
    weights = torch.cat([b.flatten() for b in before if b.ndim > 1])
    return Trained(net.eval().requires_grad_(False), losses, moved, float(weights.square().mean().sqrt()))
