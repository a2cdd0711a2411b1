"""Directions in W by name: the mean w of people with much of a factor minus the mean w of those with little.

Axis letters: N people, F factors, D width (512).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iplkit.edit.edits import DIGITS, Known
from iplkit.errors import UserError
from iplkit.features import judge_features
from iplkit.latents import z_from_seeds
from iplkit.records import shipped_hashes
from iplkit.world.factors import NAMES
from iplkit.zoo import ADAPTED

BATCH = 50
FIRST = 10000  # seed of the first person


def thirds_direction(w: Tensor, values: Tensor) -> Tensor:
    """From the mean of the low third to the mean of the high third, ``[N, D]`` and ``[N]`` -> ``[D]``.

    Raises:
        UserError: if there are fewer than three people.
    """
    third = len(values) // 3
    if third < 1:
        raise UserError(f"a direction needs at least 3 people; got {len(values)}")
    order = values.argsort(stable=True)
    return w[order[-third:]].mean(dim=0) - w[order[:third]].mean(dim=0)


@torch.no_grad()
def factor_directions(generator: nn.Module, judge: nn.Module, names: Sequence[str], people: int, first: int = FIRST) -> Tensor:
    """One direction a factor, ``[len(names), D]``.

    Args:
        generator: whose W.
        judge: estimates the factors of a picture.
        names: factors of the world.
        people: how many to draw.
        first: seed of the first person.

    Raises:
        UserError: if a factor is unknown or there are too few people.
    """
    if unknown := [name for name in names if name not in NAMES]:
        raise UserError(f"a direction needs a factor of the world; unknown are {', '.join(unknown)}")
    w = generator.mapping.w(z_from_seeds(range(first, first + people)))
    images = [generator.synthesis(part[:, None].repeat(1, generator.num_ws, 1), noise_mode="const") for part in w.split(BATCH)]
    values = judge_features(judge, torch.cat(images))["factors"]  # [N, F]
    return torch.stack([thirds_direction(w, values[:, NAMES.index(name)]) for name in names])


def shipped_edits(num_ws: int, names: Sequence[str], people: int, adapted: Sequence[str], first: int = FIRST) -> Known:
    """What an edit of the shipped models can name, with `factor_directions` of the same arguments.

    Args:
        num_ws: rows of W+.
        names: factors of the world.
        people, first: see `factor_directions`.
        adapted: names of the shipped adapted generators to offer.
    """
    hashes = shipped_hashes()
    models = {"generator": hashes["generator"]} | {name: hashes[f"{ADAPTED}/{name}"] for name in adapted}
    origin = {"by": "thirds of a factor", "judge": hashes["judge"][:DIGITS], "people": people, "first": first}
    return Known(num_ws, "generator", models, tuple(names), origin)
