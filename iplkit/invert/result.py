"""What an inversion gives back: the code, the picture it draws, and how the loss fell."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from iplkit.errors import UserError


def decibels(images: Tensor, target: Tensor) -> Tensor:
    """PSNR of pictures in [-1, 1], clamped there, ``[N, 3, H, W]`` twice -> ``[N]``, dB; equal pictures give infinity."""
    if images.shape != target.shape or images.ndim != 4:
        raise UserError(f"PSNR needs two equal sets [N, 3, H, W]; got {tuple(images.shape)} and {tuple(target.shape)}")
    error = ((images.clamp(-1, 1) - target.clamp(-1, 1)) / 2).square().double().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error)


@dataclass(frozen=True)
class Inversion:
    """N pictures as codes.

    Args:
        ws: ``[N, R, D]``; None where the optimisation ran in S, which no ws need reach.
        styles: layer -> ``[N, C]``, always there: what the picture was drawn from.
        noises: layer -> ``[N, 1, h, w]`` where noise maps were optimised; None means the drawing used no noise.
        images: what the code draws, ``[N, 3, S, S]``, about [-1, 1], not clamped.
        losses: ``[steps, N]``, the whole loss of each picture before each step; for an encoder the mean square
            difference after each pass.
        db: PSNR to the target, ``[N]``, dB.
        seconds: wall clock of all pictures together, as far as this run counts (a resumed one adds up).
        about: method, space, settings, seed: what a record must say.
        passes: ``[passes, N, R, D]``, the codes after each pass of an encoder; None for an optimisation.
    """

    ws: Tensor | None
    styles: dict[str, Tensor]
    noises: dict[str, Tensor] | None
    images: Tensor
    losses: Tensor
    db: Tensor
    seconds: float = 0.0
    about: dict = field(default_factory=dict)
    passes: Tensor | None = None


def join(parts: Sequence[Inversion]) -> Inversion:
    """Several batches of one run as one; seconds add up."""
    if len(parts) == 1:
        return parts[0]

    def maps(name: str) -> dict[str, Tensor] | None:
        first = getattr(parts[0], name)
        return None if first is None else {layer: torch.cat([getattr(p, name)[layer] for p in parts]) for layer in first}

    def rows(name: str) -> Tensor | None:
        return None if getattr(parts[0], name) is None else torch.cat([getattr(p, name) for p in parts])

    whole = {"ws": rows("ws"), "images": rows("images"), "db": rows("db"), "styles": maps("styles"), "noises": maps("noises")}
    losses = torch.cat([p.losses for p in parts], dim=1)
    return replace(parts[0], losses=losses, seconds=sum(p.seconds for p in parts), **whole)
