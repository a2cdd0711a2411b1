"""StyleCLIP's published files: the relevance matrix ``fs3.npy`` and the statistics ``S_mean_std``.

The matrix has one row for each channel of the convolutions up to 128 px (5376 at 1024 px, StyleCLIP's own) or of all
convolutions (6048, PaddleGAN and the port to PyTorch). What is missing, ToRGB too, does not move. The statistics are a pickle
of two lists of 26 arrays, or PaddleGAN's ``.npz`` with ``mean`` and ``std``.
"""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.edit.statistics import StyleStatistics
from iplkit.edit.style_space import StyleSpace
from iplkit.errors import UserError
from iplkit.stylegan2.nvidia_pickle import read_pickle
from iplkit.stylegan2.pickled_arrays import Array
from iplkit.weights import file_kind

LARGEST = 128  # pixels up to which StyleCLIP's own matrix goes


def covered(space: StyleSpace, rows: int) -> Tensor:
    """The channels of S that a matrix of so many rows speaks of, ``[rows]``.

    Raises:
        UserError: for another number of rows.
    """
    few, every = published_channels(space), space.convolutions
    choices = {len(few): few, len(every): every}
    if rows not in choices:
        raise UserError(f"a relevance matrix of this generator needs {' or '.join(map(str, sorted(choices)))} rows; it has {rows}")
    return choices[rows]


def published_channels(space: StyleSpace) -> Tensor:
    """Columns of the convolutions up to 128 px: published is index 16 and below of the 26 affines, whose last whole block this is."""
    sizes = torch.cat([torch.full((w,), int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))) for name, w in zip(space.layers, space.widths, strict=True)])
    every = space.convolutions
    return every[sizes[every] <= LARGEST]


def read_matrix(path: str | Path, space: StyleSpace) -> tuple[Tensor, Tensor]:
    """A matrix in the published layout.

    Returns:
        Its rows ``[K, E]``, and the channels of S that they are of ``[K]``.

    Raises:
        UserError: no such file, no matrix, a number of rows that does not fit the generator, or numbers that are not finite.
    """
    rows = read_rows(path)
    return rows, covered(space, len(rows))


def read_rows(path: str | Path) -> Tensor:
    """The rows of a matrix in the published layout, ``[K, E]``; of which channels they are depends on the generator.

    Raises:
        UserError: no such file, no matrix, or numbers that are not finite.
    """
    path = _file(path)
    if (kind := file_kind(path)) in ("html", "empty", "zip"):
        found = {"html": "a web page, so the download failed", "empty": "empty", "zip": "an archive, so unpack it first"}[kind]
        raise UserError(f"{path} needs to hold a matrix as numpy.save writes it; it is {found}")
    try:
        rows = np.load(path, allow_pickle=False, mmap_mode="r")  # a size that is not there is seen before memory is taken
    except (ValueError, EOFError, OSError, OverflowError, SyntaxError) as error:
        raise UserError(f"{path} needs to hold a matrix as numpy.save writes it; it is cut short, or something else") from error
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind != "f":
        raise UserError(f"{path} needs to hold one matrix [channels, width of CLIP] of floating numbers; it holds something else")
    if not np.isfinite(rows).all():
        raise UserError(f"{path} needs finite numbers; some are not")
    return torch.from_numpy(rows.astype(np.float32))


def read_published_statistics(path: str | Path, space: StyleSpace) -> StyleStatistics:
    """Mean and spread in a published layout; nothing in the file is run.

    Raises:
        UserError: no such file, another content, or arrays that do not fit the generator's layers.
    """
    return statistics_of(read_arrays(path), space, path)


def read_arrays(path: str | Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Means and spreads, an array a layer or one for all.

    Raises:
        UserError: no such file, or another content.
    """
    path = _file(path)
    kind = file_kind(path)
    if kind in ("html", "empty"):
        raise UserError(f"{path} needs to hold two lists of arrays, mean and std; it is {'a web page, so the download failed' if kind == 'html' else 'empty'}")
    found = _npz(path) if kind == "zip" else _pickled(path)
    for part in (*found[0], *found[1]):
        if part.dtype.kind not in "fiu" or not np.isfinite(part).all():
            raise UserError(f"{path} needs means and spreads that are finite numbers; some are not")
    return found


def statistics_of(arrays: tuple[list[np.ndarray], list[np.ndarray]], space: StyleSpace, path: str | Path) -> StyleStatistics:
    """Means and spreads of a generator's S.

    Raises:
        UserError: if they do not fit its layers; `path` is what the sentence names.
    """
    for what, parts in zip(("mean", "std"), arrays, strict=True):
        sizes = tuple(part.size for part in parts)
        if sizes not in (space.widths, (space.channels,)):
            raise UserError(
                f"{path} needs the statistics of {len(space.widths)} layers and {space.channels} channels; "
                f"its {what} has {len(sizes)} layers and {sum(sizes)} channels, of another generator"
            )
    joined = [torch.from_numpy(np.concatenate([part.ravel() for part in parts]).astype(np.float32)) for parts in arrays]
    return StyleStatistics(space, *joined, {"file": Path(path).name})


def _file(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise UserError(f"a file is needed at {path}; there is none")
    return path


def _pickled(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    content = read_pickle(path, "two lists of arrays, mean and std")
    if not isinstance(content, (list, tuple)) or len(content) != 2:
        raise UserError(f"{path} needs to hold two lists of arrays, mean and std; it holds something else")
    lists = [[part] if isinstance(part, Array) else part for part in content]
    if not all(isinstance(part, list) and part and all(isinstance(a, Array) and a.value is not None for a in part) for part in lists):
        raise UserError(f"{path} needs to hold two lists of arrays, mean and std; something in them is no array")
    mean, std = ([array.value for array in part] for part in lists)
    return mean, std


def _npz(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            if not {"mean", "std"} <= set(arrays.files):
                raise UserError(f"{path} needs the arrays mean and std; it holds {', '.join(arrays.files) or 'none'}")
            return [arrays["mean"]], [arrays["std"]]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} needs to be a whole archive with the arrays mean and std; it is cut short or damaged") from error
