"""A relevance matrix on disk: our own safetensors file, or a matrix alone in StyleCLIP's layout, by the ending of its name."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.edit.published_files import read_matrix
from iplkit.edit.relevance import Relevance
from iplkit.edit.style_space import StyleSpace
from iplkit.errors import UserError
from iplkit.weights import atomic_path, read_weights, write_weights

KIND = "channel relevance"


def write_relevance(path: str | Path, relevance: Relevance, space: StyleSpace, origin: dict) -> None:
    """Write a matrix; ``.npy`` holds the rows alone, as ``fs3.npy`` does, and so needs all convolutions in order.

    Raises:
        UserError: another ending, or some channels only in a ``.npy``.
    """
    path = Path(path)
    if path.suffix == ".npy":
        if not torch.equal(relevance.columns, space.convolutions):
            raise UserError(f"a .npy matrix needs all {len(space.convolutions)} channels of convolutions, in order; got {len(relevance.columns)}")
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.save(file, relevance.rows.numpy().astype(np.float32))
    elif path.suffix == ".safetensors":
        layout = {"layers": list(space.layers), "widths": list(space.widths)}
        tensors = {"rows": relevance.rows, "slopes": relevance.slopes, "columns": relevance.columns}
        write_weights(path, tensors, {"kind": KIND, "layout": layout, "renders": relevance.renders, "origin": origin})
    else:
        raise UserError(f"a relevance matrix is written as .npy or .safetensors; got {path.name}")


def read_relevance(path: str | Path, space: StyleSpace) -> Relevance:
    """Read either kind.

    Raises:
        UserError: another content, or a matrix of a generator of another layout.
    """
    if Path(path).suffix == ".npy":
        rows, columns = read_matrix(path, space)
        return Relevance(columns, rows, rows, 0)
    tensors, record = read_weights(path)
    if record.get("kind") != KIND:
        raise UserError(f"{path} needs to hold channel relevance; it holds {record.get('kind', 'something else')}")
    found = StyleSpace(tuple(record["layout"]["layers"]), tuple(record["layout"]["widths"]))
    if found != space:
        raise UserError(f"{path} needs the relevance of {space.channels} channels in {len(space.layers)} layers; it has {found.channels} in {len(found.layers)}")
    columns: Tensor = tensors["columns"].long()
    return Relevance(columns, tensors["rows"], tensors["slopes"], int(record["renders"]))
