"""Mean and spread of every channel of S, over people: the unit in which an edit of S is measured.

Published code holds 100,000 style codes at once, gigabytes; here two running sums do. Spread is the population's (divided by
n, not n - 1), as published. Axis letters: C channels of S.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.edit.style_space import StyleSpace, style_space
from iplkit.errors import UserError
from iplkit.weights import read_weights, write_weights

KIND = "style statistics"
CHUNK = 1000  # people at a time


@dataclass(frozen=True)
class StyleStatistics:
    """What is usual in S.

    Args:
        space: whose columns these are.
        mean, std: ``[C]``; std > 0 where the channel moves at all.
        origin: model, people, seed, truncation.
    """

    space: StyleSpace
    mean: Tensor
    std: Tensor
    origin: dict


class RunningMoments:
    """Mean and variance of rows that come in parts (Chan, Golub and LeVeque 1983); two vectors, in double precision."""

    def __init__(self):
        self.n, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, rows: Tensor) -> None:
        """Count some rows in, ``[n, C]``."""
        rows = rows.double()
        n, mean = len(rows), rows.mean(0)
        apart = mean - self.mean
        self.squares = self.squares + (rows - mean).square().sum(0) + apart.square() * (self.n * n / (self.n + n))
        self.mean, self.n = self.mean + apart * (n / (self.n + n)), self.n + n

    @property
    def std(self) -> Tensor:
        """The population's standard deviation, ``[C]``."""
        return (self.squares / self.n).sqrt()


@torch.no_grad()
def style_statistics(generator: nn.Module, people: int = 20_000, seed: int = 5, psi: float = 0.7, cutoff: int | None = None) -> StyleStatistics:
    """Estimate the statistics of a generator's S.

    The three published programs truncate differently, so their spreads, and with them their strengths, cannot be compared:
    psi 0.7 on all rows (StyleCLIP), on the rows below 8 (its port to PyTorch), and in effect nowhere (PaddleGAN).

    Args:
        generator: whose.
        people: how many codes; published: 100,000.
        seed: of z.
        psi: truncation; 1 for none.
        cutoff: truncate only the rows below it; None means all.

    Raises:
        UserError: fewer than 2 people.
    """
    if people < 2:
        raise UserError(f"a spread needs at least 2 people; got {people}")
    rng, moments, space = torch.Generator().manual_seed(seed), RunningMoments(), style_space(generator.config)
    for first in range(0, people, CHUNK):
        z = torch.randn(min(CHUNK, people - first), generator.config.z_dim, generator=rng).to(generator.mapping.w_avg.device)
        moments.add(space.flat(generator.synthesis.styles(generator.mapping(z, psi, cutoff))).cpu())
    origin = {"people": people, "seed": seed, "psi": psi, "cutoff": cutoff}
    return StyleStatistics(space, moments.mean.float(), moments.std.float(), origin)


def write_statistics(path: str | Path, statistics: StyleStatistics) -> None:
    """Keep statistics in one safetensors file."""
    layout = {"layers": list(statistics.space.layers), "widths": list(statistics.space.widths)}
    write_weights(path, {"mean": statistics.mean, "std": statistics.std}, {"kind": KIND, "layout": layout, "origin": statistics.origin})


def read_statistics(path: str | Path, space: StyleSpace) -> StyleStatistics:
    """Statistics as `write_statistics` left them.

    Raises:
        UserError: another content, or statistics of a generator of another layout.
    """
    tensors, record = read_weights(path)
    if record.get("kind") != KIND:
        raise UserError(f"{path} needs to hold style statistics; it holds {record.get('kind', 'something else')}")
    found = StyleSpace(tuple(record["layout"]["layers"]), tuple(record["layout"]["widths"]))
    if found != space:
        raise UserError(
            f"{path} needs statistics of {len(space.layers)} layers and {space.channels} channels; "
            f"it has {len(found.layers)} layers and {found.channels} channels, of another generator"
        )
    return StyleStatistics(space, tensors["mean"], tensors["std"], record["origin"])
