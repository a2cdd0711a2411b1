"""NVIDIA's network pickles read as data: arrays, tensors, plain containers and names, and never a call.

A pickle is a program for a small stack machine. Python's machine can call anything that can be imported. This one knows
the few opcodes that build data, and a fixed list of names. A name stands for itself; the few that rebuild an array or a
tensor are answered by functions of this file. Everything else is refused: the source code that NVIDIA stores beside the
weights stays a string.

The opcodes are taken apart by Python's own `pickletools`, which only reads. Sizes are checked against the file before
anything is allocated.
"""

import io
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from iplkit.errors import UserError
from iplkit.stylegan2.pickled_arrays import Array, Dtype, Storage, storage_dtype
from iplkit.stylegan2.pickled_names import CLASSES, KNOWN, ORDERED, REBUILDERS, TORCH_MAGIC, Name, Thing, plain

MAX_BYTES = 4 << 30  # the largest published file has 0.4 GB
MAX_OPCODES = 5_000_000


def read_pickle(path: str | Path, what: str = "a generator's pickle") -> Any:
    """What an NVIDIA pickle holds, without running anything in it; arrays alone, from others, are read as well.

    Args:
        path: the file.
        what: what a refusal says the file should be.

    Returns:
        Containers, numbers and strings as they are, numpy arrays as `Array`, tensors of torch as `torch.Tensor`,
        modules and networks as `Thing`.

    Raises:
        UserError: a file that is too large, cut short or damaged, one that asks for a name or an opcode that no
            generator needs, or one whose sizes do not agree.
    """
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise UserError(f"{path} needs to have at most {MAX_BYTES >> 30} GB; it has {size / 2**30:.1f}")
    with open(path, "rb") as file:
        try:
            return _Machine(_Bounded(file, size)).run()
        except UserError as error:
            raise UserError(f"{path} needs to be {what}, which is read without running it; {error}") from error


class _Bounded:
    """A file that refuses to read more than it has, so that a length in the pickle cannot ask for memory."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.left = file, size

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise UserError("it is cut short or damaged")
        self.left -= count
        return self.file.read(count)

    def readline(self) -> bytes:
        line = self.file.readline(1 << 16)  # names and old-fashioned numbers; no one writes longer ones
        self.left -= len(line)
        return line


class _Machine:
    """The stack machine. One run is one pickle; a stream may hold several."""

    def __init__(self, stream: _Bounded, outer: "_Machine | None" = None):
        self.stream, self.outer = stream, outer
        self.left = MAX_BYTES  # of copies that it may make; one text can be named a million times
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        done = 0
        try:
            for opcode, value, _ in pickletools.genops(self.stream):
                if (done := done + 1) > MAX_OPCODES:
                    raise UserError(f"it has more than {MAX_OPCODES} steps")
                if opcode.name == "STOP":
                    return self.stack.pop()
                step = _STEPS.get(opcode.name)
                if step is None:
                    raise UserError(f"it holds the step {opcode.name}, which no generator needs")
                step(self, value)
        except UserError:
            raise
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError, UnicodeError) as error:
            raise UserError("it is cut short or damaged") from error
        raise UserError("it is cut short or damaged")

    def spend(self, count: int) -> None:
        """Count bytes that are copied."""
        self.left -= count
        if self.left < 0:
            raise UserError("it asks for more memory than a generator needs")

    def storage(self, content: Any) -> Storage:
        """A file of torch inside: five pickles in a row, and then the numbers."""
        if self.outer is not None or not isinstance(content, (bytes, bytearray)):
            raise TypeError
        self.spend(2 * len(content))
        stream = _Bounded(io.BytesIO(content), len(content))
        magic, version, system, found, keys = (_Machine(stream, self).run() for _ in range(5))
        little = type(system) is dict and system.get("little_endian") is True
        if magic != TORCH_MAGIC or version != 1001 or not little or type(found) is not Storage or keys != [found.key]:
            raise TypeError
        if int.from_bytes(stream.read(8), "little") != found.count or stream.left != found.count * found.dtype.itemsize:
            raise ValueError
        found.fill(stream.read(stream.left))
        return found

    def above_mark(self) -> list:
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def pop(self, count: int) -> list:
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise IndexError
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def find(self, module: str, name: str) -> None:
        if type(module) is not str or type(name) is not str:
            raise TypeError
        found = Name(module.replace("numpy._core.", "numpy.core.").replace("__builtin__", "builtins"), name)
        if found not in KNOWN:
            raise UserError(f"it asks for {module[:60]}.{name[:60]}, which no generator needs")
        self.stack.append(found)

    def call(self, target: Any, arguments: Any) -> None:
        if type(target) is not Name or type(arguments) is not tuple or target not in REBUILDERS:
            raise UserError("it calls something that no generator needs")
        self.stack.append(REBUILDERS[target](self, *arguments))

    def make(self, kind: Any, arguments: Any) -> None:
        if type(kind) is not Name or kind not in CLASSES or arguments != ():
            raise UserError("it makes an object that no generator needs")
        self.stack.append({} if kind == ORDERED else Thing(kind))

    def build(self) -> None:
        (state,) = self.pop(1)
        target = self.stack[-1]
        if isinstance(target, (Array, Dtype)):
            self.spend(len(state[-1]) if isinstance(target, Array) else 0)
            target.set(state)
        elif type(target) is Thing:
            target.state = state
        elif type(target) is not dict:  # attributes of an ordered dictionary carry no weights
            raise UserError("it changes an object that no generator needs")

    def persistent(self, key: Any) -> None:
        if self.outer is None:
            raise UserError("it points outside of itself")
        _, kind, name, _, count, *_ = key
        if type(key) is not tuple or type(name) is not str:
            raise TypeError
        self.stack.append(Storage(storage_dtype(kind.name), name, count))


def _put(machine: _Machine, key: int) -> None:
    machine.memo[key] = machine.stack[-1]


def _set_items(machine: _Machine, pairs: list) -> None:
    target = machine.stack[-1]
    target = target.items if type(target) is Thing else target
    if type(target) is not dict or len(pairs) % 2:
        raise TypeError
    for key, value in zip(pairs[::2], pairs[1::2]):
        target[plain(key)] = value


def _extend(machine: _Machine, values: list) -> None:
    target = machine.stack[-1]
    if type(target) is not list:
        raise TypeError
    target.extend(values)


def _items(values: list) -> dict:
    return {plain(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _push(machine: _Machine, value: Any) -> None:
    machine.stack.append(value)


def _constant(value: Any) -> Callable:
    return lambda machine, _: machine.stack.append(value)


def _tuple(count: int) -> Callable:
    return lambda machine, _: machine.stack.append(tuple(machine.pop(count)))


_LITERALS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE"
_LITERALS += " SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {name: _push for name in _LITERALS.split()}
_STEPS |= {name: _put for name in ("PUT", "BINPUT", "LONG_BINPUT")}
_STEPS |= {name: lambda m, key: m.stack.append(m.memo[key]) for name in ("GET", "BINGET", "LONG_BINGET")}
_STEPS |= {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": lambda m, _: m.pop(1),
    "POP_MARK": lambda m, _: m.above_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "MEMOIZE": lambda m, _: _put(m, len(m.memo)),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.above_mark())),
    "LIST": lambda m, _: m.stack.append(m.above_mark()),
    "FROZENSET": lambda m, _: m.stack.append(m.above_mark()),
    "DICT": lambda m, _: m.stack.append(_items(m.above_mark())),
    "APPEND": lambda m, _: _extend(m, m.pop(1)),
    "APPENDS": lambda m, _: _extend(m, m.above_mark()),
    "ADDITEMS": lambda m, _: _extend(m, m.above_mark()),
    "SETITEM": lambda m, _: _set_items(m, m.pop(2)),
    "SETITEMS": lambda m, _: _set_items(m, m.above_mark()),
    "GLOBAL": lambda m, value: m.find(*value.split(" ")),
    "STACK_GLOBAL": lambda m, _: m.find(*m.pop(2)),
    "REDUCE": lambda m, _: m.call(*m.pop(2)),
    "NEWOBJ": lambda m, _: m.make(*m.pop(2)),
    "BUILD": lambda m, _: m.build(),
    "PERSID": lambda m, value: m.persistent(value),
    "BINPERSID": lambda m, _: m.persistent(*m.pop(1)),
}  # fmt: skip
