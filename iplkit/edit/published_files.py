"""StyleCLIP's published files: the relevance matrix ``fs3.npy`` and the statistics ``S_mean_std``.

The matrix has one row for each channel of the convolutions up to 128 px (5376 at 1024 px, StyleCLIP's own) or of all
convolutions (6048, PaddleGAN and the port to PyTorch). What is missing, ToRGB too, does not move. The statistics are a pickle
of two lists of 26 arrays, or PaddleGAN's ``.npz`` with ``mean`` and ``std``.
"""

import io
import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.edit.statistics import StyleStatistics
from iplkit.edit.style_space import StyleSpace
from iplkit.errors import UserError

LARGEST = 128  # pixels up to which StyleCLIP's own matrix goes
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"), ("_codecs", "encode"),
    ("numpy._core.numeric", "_frombuffer"), ("numpy.core.numeric", "_frombuffer"),
}  # fmt: skip


def covered(space: StyleSpace, rows: int) -> Tensor:
    """The channels of S that a matrix of so many rows speaks of, ``[rows]``.

    Raises:
        UserError: for another number of rows.
    """
    every = space.convolutions
    sizes = torch.cat([torch.full((w,), int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))) for name, w in zip(space.layers, space.widths, strict=True)])
    few = every[sizes[every] <= LARGEST]
    # Published: index 16 and below of the 26 affines, so that 128 px is the last whole block.
    choices = {len(few): few, len(every): every}
    if rows not in choices:
        raise UserError(f"a relevance matrix of this generator needs {' or '.join(map(str, sorted(choices)))} rows; it has {rows}")
    return choices[rows]


def read_matrix(path: str | Path, space: StyleSpace) -> tuple[Tensor, Tensor]:
    """A matrix in the published layout.

    Returns:
        Its rows ``[K, E]``, and the channels of S that they are of ``[K]``.

    Raises:
        UserError: no such file, no matrix, a number of rows that does not fit the generator, or numbers that are not finite.
    """
    try:
        rows = np.load(_file(path), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} needs to hold a matrix as numpy.save writes it; {error}") from error
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind != "f":
        raise UserError(f"{path} needs to hold one matrix [channels, width of CLIP] of floating numbers; it holds something else")
    columns = covered(space, len(rows))
    if not np.isfinite(rows).all():
        raise UserError(f"{path} needs finite numbers; some are not")
    return torch.from_numpy(rows.astype(np.float32)), columns


def read_published_statistics(path: str | Path, space: StyleSpace) -> StyleStatistics:
    """Mean and spread in a published layout; nothing in the file is run.

    Raises:
        UserError: no such file, another content, or arrays that do not fit the generator's layers.
    """
    path = _file(path)
    mean, std = _npz(path) if path.read_bytes()[:2] == b"PK" else _pickled(path)
    for what, parts in (("mean", mean), ("std", std)):
        found = tuple(np.size(part) for part in parts)
        if found not in (space.widths, (space.channels,)):
            raise UserError(
                f"{path} needs the statistics of {len(space.widths)} layers and {space.channels} channels; "
                f"its {what} has {len(found)} layers and {sum(found)} channels, of another generator"
            )
    joined = [torch.from_numpy(np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)) for parts in (mean, std)]
    return StyleStatistics(space, *joined, {"file": path.name})


def _file(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise UserError(f"a file is needed at {path}; there is none")
    return path


class _Arrays(pickle.Unpickler):
    """Reads lists of arrays and nothing that could run."""

    def find_class(self, module: str, name: str):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _pickled(path: Path):
    try:
        content = _Arrays(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        mean, std = content
        return list(mean), list(std)
    except Exception as error:
        raise UserError(f"{path} needs to hold two lists of arrays, mean and std; {error}") from error


def _npz(path: Path):
    with np.load(path, allow_pickle=False) as arrays:
        names = arrays.files
        if not {"mean", "std"} <= set(names):
            raise UserError(f"{path} needs the arrays mean and std; it holds {', '.join(names)}")
        return [arrays["mean"]], [arrays["std"]]
