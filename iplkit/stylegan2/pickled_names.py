"""The names that an NVIDIA pickle may use, and what answers in their place.

Most stand for themselves and do nothing. A few rebuild an array or a tensor; functions of this file do that.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from iplkit.errors import UserError
from iplkit.stylegan2.pickled_arrays import Array, Dtype, Storage, as_bytes, tensor_of

TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # begins what torch.save wrote until version 1.5; the pickles hold such files inside


class Machine(Protocol):
    """What a rebuilder may ask of the machine that calls it."""

    def spend(self, count: int) -> None:
        """Count bytes that are copied."""

    def storage(self, content: Any) -> Storage:
        """Read a file of torch inside."""


@dataclass(frozen=True)
class Name:
    """A class or a function of the file, by its name only."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Thing:
    """What the file wants to make out of a class: the name, and what was to be put into it."""

    kind: Name
    items: dict = field(default_factory=dict)
    state: Any = None


def plain(key: Any) -> Any:
    """Keys are looked up by hash, and the hash of a deep tuple would recurse without end."""
    if type(key) not in (str, int, bool, float, bytes, type(None), Name):
        raise UserError("it has keys that no generator needs")
    return key


def _encode(machine: Machine, text: str, encoding: str) -> bytes:
    """Old pickles write bytes as text of this one encoding."""
    if type(text) is not str or encoding != "latin1":
        raise TypeError
    machine.spend(len(text))
    return as_bytes(text)


def _scalar(machine: Machine, dtype: Dtype, content: bytes) -> int | float | bool:
    return np.frombuffer(as_bytes(content), dtype.numpy(), count=1)[0].item()


def _from_buffer(machine: Machine, content: bytes, dtype: Dtype, shape: tuple, order: str) -> Array:
    machine.spend(len(content))
    array = Array()
    array.set((1, shape, dtype, order == "F", content))
    return array


def _tensor(machine: Machine, storage: Storage, offset: int, size: tuple, stride: tuple, *_) -> Any:
    return tensor_of(storage, offset, size, stride)


def _size(machine: Machine, sizes: tuple) -> tuple:
    if type(sizes) is not tuple or len(sizes) > 8:
        raise TypeError
    return sizes


def _set(machine: Machine, items: list) -> list:
    if type(items) is not list:
        raise TypeError
    return items


def _persistent(machine: Machine, meta: Any) -> Thing:
    """A module of torch: NVIDIA stores its state, its class name and its source; the source stays text."""
    found = meta.items if type(meta) is Thing else meta
    if type(found) is not dict or type(found["class_name"]) is not str:
        raise TypeError
    return Thing(Name("torch", found["class_name"]), state=found["state"])


ORDERED = Name("collections", "OrderedDict")
REBUILDERS: dict[Name, Callable] = {
    Name("numpy.core.multiarray", "_reconstruct"): lambda m, *_: Array(),
    Name("numpy.core.multiarray", "scalar"): _scalar,
    Name("numpy.core.numeric", "_frombuffer"): _from_buffer,
    Name("numpy", "dtype"): lambda m, code, *_: Dtype(code),
    Name("_codecs", "encode"): _encode,
    Name("builtins", "set"): _set,
    Name("torch", "device"): lambda m, *_: "cpu",
    Name("torch", "Size"): _size,
    Name("torch.storage", "_load_from_bytes"): lambda m, content: m.storage(content),
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): lambda m, tensor, *_: tensor,
    Name("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
    ORDERED: lambda m: {},  # its items follow
}
CLASSES = {ORDERED, Name("dnnlib.util", "EasyDict"), Name("dnnlib.tflib.network", "Network")}
_STORAGES = ("Float", "Half", "Double", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
KNOWN = frozenset(REBUILDERS) | CLASSES | {Name("numpy", "ndarray"), Name("torch.storage", "UntypedStorage")}
KNOWN |= {Name("torch", f"{kind}Storage") for kind in _STORAGES}
KNOWN |= {Name("torch", kind) for kind in ("float32", "float16", "float64", "int64", "bool")}
