"""The last tier: some steps downhill from a code that a bridge gave, towards the feature itself.

The same few steps from the middle of W are what latent optimisation does. The walk is taken in whitened coordinates, where a
pull towards the start and a step mean the same in all directions; without the pull CLIP is soon pleased by pictures that
are no portraits. L-BFGS walks it: Adam's steps are as long where the slope says nothing, and most of W says nothing to CLIP.

Axis letters: N features, D width of w, E width of CLIP's features, K whitened coordinates.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.edit.bridge_whiten import Whitening
from iplkit.errors import UserError
from iplkit.invert.descent import Schedule, descend
from iplkit.invert.perceptual import Perceptual

BATCH = 16


@dataclass(frozen=True)
class RefineSettings:
    """How far and how freely; chosen on held-out pairs by CLIP's similarity and the distance in the critic's layers, from the network."""

    steps: int = 40
    rate: float = 0.5  # in spreads of W; the first step goes a tenth of it, later ones as the slope's change tells
    pull: float = 0.2  # weight of the mean squared distance from the start
    picture: float = 0.3  # weight of the perceptual distance, where a photo is given

    def __post_init__(self):
        if self.steps < 0 or self.rate <= 0 or min(self.pull, self.picture) < 0:
            raise UserError(f"a refinement needs steps from 0 up, a positive rate and weights from 0 up; got {self}")


def refine(
    w: Tensor,
    e: Tensor,
    generator: nn.Module,
    clip: nn.Module,
    white: Whitening,
    settings: RefineSettings = RefineSettings(),
    photo: Tensor | None = None,
    perceptual: Perceptual | None = None,
) -> Tensor:
    """Codes that CLIP finds more alike, near where they began.

    Args:
        w: starts, ``[N, D]``.
        e: unit features to reach, ``[N, E]``, of pictures or texts.
        generator, clip: frozen.
        white: of the bridge.
        settings: see `RefineSettings`.
        photo: the pictures themselves, where there are any, ``[N, 3, S, S]``; then `perceptual` compares with them too.
        perceptual: a distance for losses, such as the critic's layers.

    Returns:
        ``[N, D]``. What of w lies outside the whitened coordinates stays.

    Raises:
        UserError: starts and features that do not pair, or a photo without a distance.
    """
    if len(w) != len(e) or (photo is None) != (perceptual is None):
        raise UserError(f"a refinement needs one start a feature, and a photo with its distance; got {len(w)} and {len(e)}")
    parts = []
    for rows in torch.arange(len(w)).split(BATCH):
        target = None if photo is None else perceptual.target(photo[rows])
        loss_of = _loss_of(w[rows], e[rows], generator, clip, white, settings, perceptual, target)
        start = torch.zeros(len(rows), len(white.basis))
        found, _, _ = descend({"step": start}, loss_of, Schedule(settings.steps, settings.rate, walker="lbfgs"))
        parts.append(w[rows] + found["step"] @ white.basis)
    return torch.cat(parts) if parts else w


def _loss_of(w, e, generator, clip, white, settings, perceptual, target):
    def loss(free: dict[str, Tensor], step: int) -> Tensor:
        ws = (w + free["step"] @ white.basis)[:, None].expand(-1, generator.num_ws, -1)
        made = generator.synthesis(ws, noise_mode="none")
        away = 1 - (F.normalize(clip.encode_image(made), dim=-1) * e).sum(1)
        away = away + settings.pull * free["step"].square().mean(1)
        return away if target is None else away + settings.picture * perceptual.distance(made, target)

    return loss
