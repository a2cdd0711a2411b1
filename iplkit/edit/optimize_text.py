"""StyleCLIP's latent optimisation: walk one person's code until CLIP sees the text in the picture.

Patashnik et al. 2021, "StyleCLIP", Sec. 4:

    L = 1 - cos(CLIP(G(w)), text) + l2 |w - w0|² + identity (1 - likeness(G(w), G(w0))).

The square is a sum over all entries of W+, not a mean; the mapper's is a mean, so the two weights cannot be exchanged.

Axis letters: N people, R rows of W+, D width of w, E width of CLIP.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.invert.descent import Run, Schedule, descend

Likeness = Callable[[Tensor, Tensor], Tensor]  # pictures, pictures -> [N], 1 for the same picture


@dataclass(frozen=True)
class TextSettings:
    """What is minimised.

    Args:
        schedule: of Adam; published: 300 steps (40 in its notebook) at rate 0.1.
        l2: weight of the squared way in W+.
        identity: weight of the likeness; published: 0 in its program, 0.005 in its notebook.
        noise_mode: "const", or "none".
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(300, 0.1))
    l2: float = 0.008
    identity: float = 0.0
    noise_mode: str = "const"

    def __post_init__(self):
        if self.l2 < 0 or self.identity < 0:
            raise UserError(f"weights are at least 0; got l2 {self.l2} and identity {self.identity}")


@dataclass(frozen=True)
class TextEdits:
    """Codes that were walked.

    Args:
        ws: ``[N, R, D]``.
        losses: of each step, ``[steps, N]``.
        seconds: all people together.
    """

    ws: Tensor
    losses: Tensor
    seconds: float


def optimize_text(
    generator: nn.Module,
    clip: nn.Module,
    ws: Tensor,
    text: Tensor,
    settings: TextSettings = TextSettings(),
    likeness: Likeness | None = None,
    run: Run = Run(),
) -> TextEdits:
    """Edit some people, each for itself.

    Args:
        generator, clip: frozen.
        ws: who, ``[N, R, D]``.
        text: unit feature of one sentence, ``[E]``; it is read once, not at every step as in published code.
        settings: see `TextSettings`.
        likeness: of two sets of pictures; needed where its weight is above 0. No judge of this book may serve here.
        run: checkpoints and progress.

    Raises:
        UserError: codes of another shape, or a weight without its term.
    """
    shape = (generator.num_ws, generator.config.w_dim)
    if ws.ndim != 3 or ws.shape[1:] != shape:
        raise UserError(f"an optimisation needs codes [N, {shape[0]}, {shape[1]}]; got {list(ws.shape)}")
    if settings.identity > 0 and likeness is None:
        raise UserError(f"an identity weight of {settings.identity} needs a likeness of pictures; got none")
    begun = ws.detach().clone()
    before = _draw(generator, begun, settings) if likeness is not None else None

    def loss_of(free: dict[str, Tensor], step: int) -> Tensor:
        images = generator.synthesis(free["ws"], noise_mode=settings.noise_mode)
        loss = 1 - F.normalize(clip.encode_image(images), dim=-1) @ text
        loss = loss + settings.l2 * (free["ws"] - begun).square().sum(dim=(1, 2))
        return loss + settings.identity * (1 - likeness(images, before)) if settings.identity > 0 else loss

    free, losses, seconds = descend({"ws": begun}, loss_of, settings.schedule, run)
    return TextEdits(free["ws"], losses, seconds)


@torch.no_grad()
def _draw(generator: nn.Module, ws: Tensor, settings: TextSettings) -> Tensor:
    return generator.synthesis(ws, noise_mode=settings.noise_mode)


def likeness_of(embed: Callable[[Tensor], Tensor]) -> Likeness:
    """Cosine of some network's embeddings; the second pictures are looked at without gradients."""

    def likeness(images: Tensor, before: Tensor) -> Tensor:
        with torch.no_grad():
            aim = F.normalize(embed(before), dim=-1)
        return (F.normalize(embed(images), dim=-1) * aim).sum(1)

    return likeness
