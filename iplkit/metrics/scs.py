"""SCS: does the adapted image keep the source's edges?

Xiao et al. 2022, "Few Shot Generative Model Adaption via Relaxed Spatial Structural Alignment" (RSSA): a soft
Dice coefficient of two edge maps of one latent. A generator that changed nothing scores 1, so it is only read beside a
measure of style.
"""

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score, mean_score

PROTOCOL = {False: "soft Dice of edge maps", True: "soft Dice of edge maps, edges truncated to 8 bits (RSSA)"}


def _edge_maps(edges: Tensor, what: str) -> Tensor:
    edges = edges.squeeze(1) if edges.ndim == 4 and edges.shape[1] == 1 else edges
    if edges.ndim != 3 or len(edges) == 0:
        raise UserError(f"SCS needs edge maps [N, H, W] or [N, 1, H, W] of the {what} images; got {tuple(edges.shape)}")
    if edges.dtype == torch.uint8 or not bool(((edges >= 0) & (edges <= 1)).all()):
        raise UserError(f"SCS needs edge maps in [0, 1]; those of the {what} images have other values")
    return edges.double()


def soft_dice(a: Tensor, b: Tensor, both_empty: float = 1.0) -> Tensor:
    """2 Σ a b / (Σ a² + Σ b²) of each pair, ``[N, H, W]`` twice -> ``[N]`` in [0, 1].

    Args:
        a, b: edge maps in [0, 1].
        both_empty: the value of two maps without any edge, where the formula is 0 / 0.
    """
    shared = 2 * (a * b).flatten(1).sum(dim=1)
    total = (a.square() + b.square()).flatten(1).sum(dim=1)
    return torch.where(total > 0, shared / total.where(total > 0, torch.ones_like(total)), both_empty)


def scs(source: Tensor, adapted: Tensor, *, both_empty: float = 1.0, truncate: bool = False) -> Score:
    """Mean soft Dice of edge maps, pair by pair.

    Args:
        source, adapted: edge maps in [0, 1], ``[N, H, W]`` or ``[N, 1, H, W]``; row i of both from one latent, one
            noise and one truncation.
        both_empty: value of a pair without any edge. By default 1: both have the same structure, none.
        truncate: round edges down to 8 bits first, as RSSA's code does by storing them; changes the third decimal.

    Returns:
        `Score` in [0, 1]; its spread is the standard error over the pairs. Settings: "both_empty", its number
        "num_both_empty", and the pairs' "std", "min" and "max".

    Raises:
        UserError: wrong or different shapes, or values outside [0, 1].
    """
    a, b = _edge_maps(source, "source"), _edge_maps(adapted, "adapted")
    if a.shape != b.shape:
        raise UserError(f"SCS needs pairs of edge maps of one size; got {tuple(a.shape)} and {tuple(b.shape)}")
    if truncate:
        a, b = (a * 255).floor() / 255, (b * 255).floor() / 255
    empty = int((a.flatten(1).any(dim=1) | b.flatten(1).any(dim=1)).logical_not().sum())
    settings = {"both_empty": both_empty, "num_both_empty": empty, "truncate": truncate}
    return mean_score("SCS", soft_dice(a, b, both_empty), len(a), settings=settings, protocol=PROTOCOL[truncate])
