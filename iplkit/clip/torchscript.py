"""Weights out of a TorchScript archive, and nothing else out of it.

OpenAI publishes CLIP as such archives. An archive is a program; here its code is never loaded, only
its tensors are, by an unpickler that knows tensors and turns every other object into a bag of names.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from iplkit.errors import UserError

STORAGES = dict(FloatStorage=torch.float32, HalfStorage=torch.float16, BFloat16Storage=torch.bfloat16)
STORAGES |= dict(DoubleStorage=torch.float64, LongStorage=torch.int64, IntStorage=torch.int32, BoolStorage=torch.bool)


class _Bag:
    """Stands for any module of the archive: it only keeps its named parts."""

    def __setstate__(self, state):
        self.parts = state


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_) -> Tensor:
    return storage.as_strided(size, stride, offset)


class _TensorsOnly(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(io.BytesIO(archive.read(folder + "data.pkl")))
        self.archive, self.folder = archive, folder

    def find_class(self, module: str, name: str):
        if module.split(".")[0] == "__torch__":
            return _Bag
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise UserError(f"a TorchScript archive needs to hold modules and tensors; it asks for {module}.{name}")

    def persistent_load(self, key: tuple) -> Tensor:
        _, dtype, name, *_ = key
        return torch.frombuffer(bytearray(self.archive.read(f"{self.folder}data/{name}")), dtype=dtype)


def is_archive(path: str | Path) -> bool:
    """Whether a file is a TorchScript archive, from the names inside it."""
    return zipfile.is_zipfile(path) and any(name.endswith("/constants.pkl") for name in _names(path))


def _names(path: str | Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def archive_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of an archive under their dotted names, on the CPU, in their own precision.

    Some are no weights: masks and small numbers that the program kept beside them.

    Raises:
        UserError: if the archive asks for anything but modules and tensors, or is damaged.
    """
    folder = next(name for name in _names(path) if name.endswith("/constants.pkl")).removesuffix("constants.pkl")
    try:
        with zipfile.ZipFile(path) as archive:
            root = _TensorsOnly(archive, folder).load()
    except (KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} needs to be a whole TorchScript archive; it is damaged") from error
    return dict(_walk(root, ""))


def _walk(bag: _Bag, prefix: str):
    for name, part in getattr(bag, "parts", {}).items():
        if isinstance(part, Tensor):
            yield prefix + name, part
        elif isinstance(part, _Bag):
            yield from _walk(part, f"{prefix}{name}.")
