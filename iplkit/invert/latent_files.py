"""Latents on disk: one code a file, its shape checked against the generator before anything is drawn.

The trap that this closes: a code in W+ saved as ``[18, 512]`` looks like 18 codes in W, and other tools draw 18 pictures of it.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.weights import atomic_path, file_kind

KEYS = ("latent", "latents", "ws", "w", "wp", "code", "codes", "latent_code", "projected_w")  # under which other tools store a code
KNOWN = "(1, rows, width), (rows, width), (1, width) or (width,)"


@dataclass(frozen=True)
class Latent:
    """One code, and what it was in its file.

    Args:
        ws: ``[1, R, D]``, float32.
        space: "W" (one w, the same in all rows) or "W+".
        stored: the shape in the file.
    """

    ws: Tensor
    space: str
    stored: tuple[int, ...]

    def __str__(self) -> str:
        rows, width = self.ws.shape[1:]
        what = f"one w of {width} for all {rows} rows" if self.space == "W" else f"{rows} rows of {width}"
        return f"{self.space}: {what}, stored as {self.stored}"


def read_latent(path: str | Path, num_ws: int, w_dim: int = 512) -> Latent:
    """Read one code.

    Args:
        path: ``.npy``; ``.npz`` or a file of torch (``.pt``) with one array, or with one under a usual name, as the projectors of
            NVIDIA and rosinality write them. Nothing in a file is run.
        num_ws: rows of W+ of the generator that shall draw it, `Generator.num_ws`.
        w_dim: width of its w.

    Raises:
        UserError: no such file, no array of numbers, several codes, or a shape that the generator does not take.
    """
    path = Path(path)
    array = _read(path)
    if array.dtype.kind not in "fiu":
        raise UserError(f"{path} needs to hold a latent of real numbers; it holds {array.dtype} of shape {array.shape}")
    return latent_of(array, num_ws, w_dim, str(path))


def latent_of(array: np.ndarray, num_ws: int, w_dim: int = 512, origin: str = "the latent") -> Latent:
    """An array as one code; see `read_latent`.

    Raises:
        UserError: a shape that the generator does not take, or numbers that are not finite.
    """
    shape = tuple(array.shape)
    rows, wanted = _rows(shape, w_dim), f"{KNOWN}, here {num_ws} rows of {w_dim}"
    if rows is None:
        raise UserError(f"{origin} needs shape {wanted}; it has {shape}{_why(shape, num_ws, w_dim)}")
    if rows not in (1, num_ws):
        size = f": it is of a generator of {2 ** ((rows + 2) // 2)} px" if rows % 2 == 0 and 4 <= rows <= 18 else ""
        raise UserError(f"{origin} needs 1 or {num_ws} rows of {w_dim} for this generator; it has {rows}{size}")
    if not np.isfinite(array).all():
        raise UserError(f"{origin} needs finite numbers; some are not")
    ws = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).reshape(1, rows, w_dim)
    same = rows == 1 or bool((ws == ws[:, :1]).all())
    return Latent(ws.expand(1, num_ws, w_dim).clone(), "W" if same else "W+", shape)


def write_latent(path: str | Path, ws: Tensor) -> None:
    """Write one code as ``.npy``, float32 of shape (1, R, D), whole or not at all.

    Args:
        path: ends in ``.npy``.
        ws: ``[1, R, D]`` or ``[R, D]``.

    Raises:
        UserError: another ending, several codes, or numbers that are not finite.
    """
    path = Path(path)
    ws = ws[None] if ws.ndim == 2 else ws
    if path.suffix != ".npy" or ws.ndim != 3 or len(ws) != 1 or not bool(ws.isfinite().all()):
        raise UserError(f"a latent is written as .npy, one finite code [1, R, D] a file; got {path.name} and {list(ws.shape)}")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, ws.detach().cpu().float().numpy())


def _rows(shape: tuple[int, ...], w_dim: int) -> int | None:
    """Rows of one code of this shape; None for what is no code."""
    if not shape or shape[-1] != w_dim or len(shape) > 3 or (len(shape) == 3 and shape[0] != 1):
        return None
    return 1 if len(shape) == 1 else shape[-2]


def _why(shape: tuple[int, ...], num_ws: int, w_dim: int) -> str:
    if len(shape) == 3 and shape[1:] in ((num_ws, w_dim), (1, w_dim)):
        return f": these are {shape[0]} codes, and one a file is read"
    if w_dim in shape and shape[-1] != w_dim:
        return ": its axes are in another order"
    return f": it is {shape[-1]} wide" if shape and len(shape) <= 3 else ""


def _read(path: Path) -> np.ndarray:
    try:
        kind = file_kind(path)
    except UserError as error:
        raise UserError(f"a latent is needed at {path}; there is no file") from error
    with open(path, "rb") as file:
        is_npy = file.read(6) == b"\x93NUMPY"
    try:
        if is_npy:
            return np.load(path, allow_pickle=False)
        if kind == "zip" and path.suffix == ".npz":
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return _only({name: arrays[name] for name in arrays.files}, path)
    except UserError:
        raise
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        pickled = "it holds Python objects, which could run code, so it was not opened" if "pickle" in str(error) else "it is cut short or damaged"
        raise UserError(f"{path} needs to hold plain numbers; {pickled}: save the array alone with numpy.save") from error
    if kind not in ("zip", "pickle"):
        raise UserError(f"{path} needs to be .npy, .npz or .pt; it is {'a web page, so the download failed' if kind == 'html' else kind + ' content'}")
    return _read_torch(path)


def _read_torch(path: Path) -> np.ndarray:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{path} needs to hold plain tensors; torch refuses to read it, since it is damaged or would run code") from error
    while isinstance(content, dict) and len(content) == 1 and isinstance(next(iter(content.values())), dict):
        content = next(iter(content.values()))  # rosinality's projector: file name -> what was found for it
    found = _only(content, path) if isinstance(content, dict) else content
    if not isinstance(found, Tensor):
        raise UserError(f"{path} needs to hold one tensor; it holds a {type(found).__name__}")
    return found.detach().float().numpy() if found.is_floating_point() else found.numpy()


def _only(content: dict, path: Path):
    """The one array there is, or the one with a usual name."""
    if len(content) == 1:
        return next(iter(content.values()))
    named = [name for name in KEYS if name in content]
    if len(named) != 1:
        raise UserError(f"{path} needs one latent, alone or under one of {', '.join(KEYS)}; it holds {', '.join(map(str, list(content)[:6])) or 'nothing'}")
    return content[named[0]]
