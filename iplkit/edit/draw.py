"""The picture that an edit describes.

Axis letters: R rows of W+ (num_ws), D width (512), H and W pixels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iplkit.edit.edits import Edit
from iplkit.errors import UserError
from iplkit.latents import add_to_rows, mix, truncate, z_from_seeds


def edited_ws(edit: Edit, num_ws: int, one: Tensor, two: Tensor, w_avg: Tensor, directions: Mapping[str, Tensor]) -> Tensor:
    """The W+ code of an edit: truncate both people, mix them by rows, then add the moves.

    Args:
        edit: the setting.
        num_ws: R.
        one, two: w of `edit.seed` and of `edit.second`, ``[D]``.
        w_avg: the middle of W, ``[D]``.
        directions: name -> ``[D]``.

    Returns:
        ``[1, R, D]``.
    """
    one, two = (truncate(w, w_avg, edit.psi).expand(1, num_ws, -1) for w in (one, two))
    ws = mix(one, two, int(edit.crossover))
    for move in edit.moves:
        ws = add_to_rows(ws, directions[move.direction], move.rows, move.strength)
    return ws


def blended(source: nn.Module, adapted: nn.Module, share: float) -> dict[str, Tensor]:
    """Weights on the straight way between two generators, as a state dict: share 0 the source, 1 the adapted one."""
    after = adapted.state_dict()
    return {name: before + share * (after[name] - before) for name, before in source.state_dict().items()}


@torch.no_grad()
def draw(edit: Edit, source: nn.Module, directions: Mapping[str, Tensor], adapted: Mapping[str, nn.Module]) -> Tensor:
    """Draw an edit with the stored noise.

    Args:
        edit: the setting.
        source: the source generator; its mapping makes w of a seed, also for an adapted generator.
        directions: name -> ``[D]``.
        adapted: name -> adapted generator.

    Returns:
        ``[1, 3, H, W]`` in about [-1, 1].

    Raises:
        UserError: if the edit names a direction or a domain that is not given.
    """
    if missing := [name for name in (move.direction for move in edit.moves) if name not in directions]:
        raise UserError(f"the edit moves along {missing[0]}; given are {', '.join(directions) or 'none'}")
    if edit.domain and edit.domain not in adapted:
        raise UserError(f"the edit draws with {edit.domain}; given are {', '.join(adapted) or 'none'}")
    one, two = source.mapping.w(z_from_seeds([int(edit.seed), int(edit.second)], source.config.z_dim))
    ws = edited_ws(edit, source.num_ws, one, two, source.mapping.w_avg, directions)
    if not edit.domain or edit.share == 0:
        return source.synthesis(ws, noise_mode="const")
    weights = blended(source.synthesis, adapted[edit.domain].synthesis, edit.share)
    return torch.func.functional_call(source.synthesis, weights, (ws,), {"noise_mode": "const"})
