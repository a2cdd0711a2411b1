"""The tables of a StyleGAN2 generator by its side alone: feature maps, rows of W+, affines, and the channels of S.

Nothing here needs weights. The affines stand in the order in which the data flows, and S is their outputs, end to end:
one number for each *input* channel of each convolution and of each ToRGB. Karras et al. 2020, Sec. 4.1 (feature maps);
Wu et al. 2021, "StyleSpace Analysis", Sec. 3 (S).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from iplkit.errors import UserError
from iplkit.stylegan2.styles import layer_names, row_table

SIZES = (32, 64, 128, 256, 512, 1024)
BASES = {"config-f": 32768, "half": 16384}  # feature maps times side; the second is the papers' at 256 px
MOST = 512


@dataclass(frozen=True)
class Affine:
    """One learned affine: which row it reads, and which numbers of S it gives."""

    index: int  # in S, from 0
    layer: str  # conv4, rgb4, up8, ...
    grid: int  # points a side of the map its convolution works on, after doubling
    row: int  # of W+
    width: int  # numbers: input channels of its convolution
    start: int  # of the first in S
    conv_start: int | None  # of the first among the convolutions' only; None for ToRGB

    @property
    def to_rgb(self) -> bool:
        """Whether it steers a step to color."""
        return self.conv_start is None


def num_rows(size: int) -> int:
    """Rows of W+ of a generator of that side, 2 log2(size) - 2.

    Raises:
        UserError: if the side is no power of 2 of at least 8.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 8 or size & (size - 1):
        raise UserError(f"a generator's size needs to be a power of 2 of at least 8; got {size!r}")
    return 2 * (size.bit_length() - 1) - 2


def feature_maps(size: int, base: int = BASES["config-f"], most: int = MOST) -> tuple[int, ...]:
    """Feature maps at 4, 8, ... up to `size` points: base / side, `most` at most.

    Raises:
        UserError: as `num_rows`, or if a level would have none.
    """
    num_rows(size)
    if base < size or most < 1:
        raise UserError(f"feature maps need a base of at least {size} and a limit of at least 1; got {base} and {most}")
    return tuple(min(base >> level, most) for level in range(2, size.bit_length()))


def affines(size: int, channels: Sequence[int] | None = None) -> tuple[Affine, ...]:
    """Every affine of a generator, in the order of S; there are 3 log2(size) - 4.

    Args:
        size: side, pixels.
        channels: feature maps from 4 px up; None for those of config-f.

    Raises:
        UserError: as `num_rows`, or if there is not one number a level.
    """
    rows = num_rows(size)
    channels = feature_maps(size) if channels is None else tuple(channels)
    if len(channels) != rows // 2:
        raise UserError(f"a generator of {size} px needs {rows // 2} numbers of feature maps, from 4 px up; got {len(channels)}")
    row_of = {layer: row for row, layers in enumerate(row_table(rows)) for layer in layers}
    found, start, conv_start = [], 0, 0
    for index, layer in enumerate(layer_names(rows)):
        kind, grid = layer.rstrip("0123456789"), int(layer.lstrip("abcdefghijklmnopqrstuvwxyz"))
        level = grid.bit_length() - 3 - (kind == "up")  # a doubling reads the maps of the level before
        width = channels[level]
        found.append(Affine(index, layer, grid, row_of[layer], width, start, None if kind == "rgb" else conv_start))
        start, conv_start = start + width, conv_start + (0 if kind == "rgb" else width)
    return tuple(found)


@dataclass(frozen=True)
class Sizes:
    """The totals of one generator."""

    size: int
    rows: int
    affines: int
    conv: int  # channels of S that steer convolutions
    rgb: int  # channels of S that steer ToRGB

    @property
    def channels(self) -> int:
        """Width of S."""
        return self.conv + self.rgb


def sizes_of(size: int, channels: Sequence[int] | None = None) -> Sizes:
    """Rows, affines and channels of S; arguments and errors as `affines`."""
    table = affines(size, channels)
    rgb = sum(affine.width for affine in table if affine.to_rgb)
    return Sizes(size, num_rows(size), len(table), sum(affine.width for affine in table) - rgb, rgb)


def size_table(sizes: Sequence[int] = SIZES) -> pd.DataFrame:
    """One line a size: rows, affines, and S for both usual numbers of feature maps, as "conv + rgb = all"."""
    lines = []
    for size in sizes:
        line = {"side": size, "rows of W+": num_rows(size), "affines": sizes_of(size).affines}
        for name, base in BASES.items():
            found = sizes_of(size, feature_maps(size, base))
            line[f"S, {name}"] = f"{found.conv} + {found.rgb} = {found.channels}"
        lines.append(line)
    return pd.DataFrame(lines)


def affine_table(size: int, channels: Sequence[int] | None = None) -> pd.DataFrame:
    """One line an affine: its layer, row, width and places in S, first to last."""
    span = lambda start, width: f"{start} to {start + width - 1}"  # noqa: E731
    return pd.DataFrame([
        {"S": a.index, "layer": a.layer, "row": a.row, "numbers": a.width, "place in S": span(a.start, a.width),
         "among convolutions": "–" if a.to_rgb else span(a.conv_start, a.width)} for a in affines(size, channels)
    ])  # fmt: skip
