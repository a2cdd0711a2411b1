"""StyleCLIP's published tables as the zoo gives them: of a generator in configuration F, whose size the table itself tells.

A reader of a file for another generator knows its layers: `iplkit.edit.relevance_files.read_relevance` and
`iplkit.edit.published_files.read_published_statistics` take them.
"""

from pathlib import Path

from iplkit.edit.published_files import covered, read_arrays, read_rows, statistics_of
from iplkit.edit.relevance import Relevance
from iplkit.edit.statistics import StyleStatistics
from iplkit.edit.style_space import StyleSpace, style_space
from iplkit.errors import UserError
from iplkit.stylegan2.generator import GeneratorConfig

SIZES = (1024, 512, 256, 128, 64, 32)  # pixels


def space_of(size: int) -> StyleSpace:
    """S in configuration F (Karras et al. 2020): 512 maps up to 64 px, and half as many at each size above."""
    return style_space(GeneratorConfig(size, tuple(min(512, 32768 >> k) for k in range(2, size.bit_length()))))


def load_matrix(path: str | Path) -> Relevance:
    """``fs3.npy``; the channels up to 128 px are the same at every size from there on.

    Raises:
        UserError: as `iplkit.edit.published_files.read_rows`, or as many rows as no size has.
    """
    rows = read_rows(path)
    for size in SIZES:
        try:
            return Relevance(covered(space_of(size), len(rows)), rows, rows, 0)
        except UserError:
            continue
    raise UserError(f"{path} needs the rows of a generator in configuration F, 5376 or 6048 of them at 1024 px; it has {len(rows)}, and {_OTHERS} --directions")


def load_statistics(path: str | Path) -> StyleStatistics:
    """``S_mean_std``.

    Raises:
        UserError: as `iplkit.edit.published_files.read_arrays`, or layers as no size has.
    """
    arrays = read_arrays(path)
    for size in SIZES:
        try:
            return statistics_of(arrays, space_of(size), path)
        except UserError:
            continue
    found = [sum(part.size for part in parts) for parts in arrays]
    raise UserError(f"{path} needs 9088 channels, as configuration F has at 1024 px; it has means of {found[0]} and spreads of {found[1]}, and {_OTHERS} --stats")


_OTHERS = "a file for another generator is read by: iplkit edit"
