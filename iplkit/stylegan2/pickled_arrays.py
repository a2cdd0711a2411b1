"""Arrays and tensors out of a pickle's pieces, with every size checked against the bytes that are there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "f2", "f4", "f8"}  # never objects, which would be pointers
STORAGES = {"FloatStorage": torch.float32, "HalfStorage": torch.float16, "DoubleStorage": torch.float64}
STORAGES |= {"BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16}
STORAGES |= {"CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool, "UntypedStorage": torch.uint8}
MAX_DIMENSIONS = 8


def as_bytes(content: Any) -> bytes:
    """Bytes as they are; the text that Python 2 wrote in their place, letter by letter."""
    if isinstance(content, str):
        return content.encode("latin1")
    if not isinstance(content, (bytes, bytearray)):
        raise TypeError
    return bytes(content)


class Dtype:
    """A number format of numpy: its letter and size first, its byte order later."""

    def __init__(self, code: Any):
        self.code, self.order = as_bytes(code).decode("latin1"), "|"
        if self.code not in NUMBERS:
            raise TypeError

    def set(self, state: Any) -> None:
        """The pickled state: the byte order is all of it that plain numbers have."""
        order = as_bytes(state[1]).decode("latin1")
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise TypeError
        self.order = order

    def numpy(self) -> np.dtype:
        """The format as numpy has it."""
        return np.dtype(self.order + self.code)


class Array:
    """An array of numpy; `value` is there once the pickle has filled it."""

    value: np.ndarray | None = None

    def set(self, state: Any) -> None:
        """The pickled state: version, shape, format, whether columns come first, bytes."""
        _, shape, dtype, columns_first, content = state
        found = np.frombuffer(as_bytes(content), dtype.numpy())
        if len(shape := _sizes(shape)) > MAX_DIMENSIONS or _product(shape) != found.size:
            raise ValueError
        self.value = found.reshape(shape, order="F" if columns_first else "C")


@dataclass(eq=False)
class Storage:
    """A row of numbers, of which tensors are views."""

    dtype: torch.dtype
    key: str
    count: int
    content: Tensor | None = None

    def __post_init__(self):
        _sizes((self.count,))

    def fill(self, content: bytes) -> None:
        """The numbers, once they are known."""
        self.content = torch.frombuffer(bytearray(content), dtype=self.dtype)


def storage_dtype(name: str) -> torch.dtype:
    """Format of torch's storage of that name."""
    return STORAGES[name]


def tensor_of(storage: Storage, offset: int, size: tuple, stride: tuple) -> Tensor:
    """A view of a storage; it may neither leave the storage nor hold more numbers than it.

    Raises:
        ValueError: if the sizes do not agree with the storage.
    """
    size, stride, (offset,) = _sizes(size), _sizes(stride), _sizes((offset,))
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if len(size) > MAX_DIMENSIONS or 0 in size or last >= storage.count or _product(size) > storage.count:
        raise ValueError
    return storage.content.as_strided(size, stride, offset)


def _sizes(values: Any) -> tuple[int, ...]:
    values = tuple(values)
    if any(type(v) is not int or not 0 <= v < 1 << 40 for v in values):
        raise ValueError
    return values


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
