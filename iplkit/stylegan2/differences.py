"""An adapted generator as a small difference to its source: what a zoo of many styles can afford to ship.

Each changed kernel is stored as whole numbers times one step per output channel, and the numbers are packed by zlib.
The step is a sixth of the channel's root mean square, so the error is about 5 % of the change and 5 bits suffice.
"""

import copy
import hashlib
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.weights import read_weights, write_weights

STEPS_PER_RMS = 6.0
PACKED = "packed"  # the tensor that holds all whole numbers, one tensor after the other
RESERVED = {"kind", "source", "order"}


def fingerprint(module: nn.Module) -> str:
    """SHA-256 over names, shapes and float32 values of everything a module stores."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().float().contiguous()
        digest.update(f"{name}{tuple(values.shape)}".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def quantize(delta: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers and a step for each output channel, ``[O, ...]`` -> int8 ``[O, ...]`` and ``[O]``.

    The step grows where one value is so large that it would not fit into 127 steps.
    """
    rows = delta.flatten(1)
    step = torch.maximum(rows.square().mean(dim=1).sqrt() / STEPS_PER_RMS, rows.abs().amax(dim=1) / 127)
    safe = torch.where(step > 0, step, torch.ones_like(step))
    whole = (rows / safe[:, None]).round().clamp(-127, 127).to(torch.int8)
    return whole.view(delta.shape), step


def dequantize(whole: Tensor, step: Tensor) -> Tensor:
    """The inverse of `quantize` up to half a step, int8 ``[O, ...]`` and ``[O]`` -> float32 ``[O, ...]``."""
    return (whole.flatten(1).float() * step[:, None]).view(whole.shape)


def save_difference(path: str | Path, source: nn.Module, adapted: nn.Module, metadata: dict | None = None) -> None:
    """Write what `adapted` adds to `source`; unchanged tensors cost nothing, vectors are stored exactly.

    Args:
        path: the file to write.
        source: the generator that the adaptation started from; the file remembers its fingerprint.
        adapted: a generator of the same sizes.
        metadata: what else to record; "kind", "source" and "order" are taken.

    Raises:
        UserError: if the two generators have different tensors, or `metadata` uses a name that is taken.
    """
    metadata = metadata or {}
    if taken := sorted(metadata.keys() & RESERVED):
        raise UserError(f"metadata needs names other than {', '.join(sorted(RESERVED))}; got {', '.join(taken)}")
    before, after = source.state_dict(), adapted.state_dict()
    if {k: v.shape for k, v in before.items()} != {k: v.shape for k, v in after.items()}:
        raise UserError("a difference needs two generators of the same sizes; these have different tensors")
    tensors, order, numbers = {}, [], []
    for name in sorted(before):
        delta = (after[name].detach().cpu().float() - before[name].detach().cpu().float()).contiguous()
        if not bool(delta.isfinite().all()):
            raise UserError(f"a difference needs finite weights; {name} has others")
        if not bool(delta.any()):
            continue
        if delta.ndim < 2:
            tensors[name] = delta
            continue
        whole, tensors[name] = quantize(_channels_first(delta))
        order.append(name)
        numbers.append(whole.contiguous().numpy().tobytes())
    tensors[PACKED] = torch.frombuffer(bytearray(_pack(b"".join(numbers))), dtype=torch.uint8)
    write_weights(path, tensors, metadata | {"kind": "difference", "source": fingerprint(source), "order": order})


def load_difference(path: str | Path, source: nn.Module, sha256: str | None = None) -> nn.Module:
    """The adapted generator: a copy of `source` with the difference added. `source` stays as it is.

    Raises:
        UserError: if the file is damaged, holds no difference, or belongs to another source.
    """
    tensors, record = read_weights(path, sha256)
    if record.get("kind") != "difference":
        raise UserError(f"{path} needs to hold a difference; it holds {record.get('kind', 'weights of no stated kind')}")
    if (found := fingerprint(source)) != record["source"]:
        raise UserError(f"{path} needs the source generator {record['source'][:12]}; got {found[:12]}")
    adapted = copy.deepcopy(source)
    state = adapted.state_dict()
    shapes = {name: _channels_first(state[name]).shape for name in record["order"]}
    packed = _unpack(path, tensors.pop(PACKED), sum(shape.numel() for shape in shapes.values()))
    start = 0
    for name, shape in shapes.items():
        whole = packed[start : start + shape.numel()].view(shape)
        tensors[name] = dequantize(whole, tensors[name]).view(state[name].shape)
        start += shape.numel()
    for name, delta in tensors.items():
        state[name].add_(delta.to(state[name].device))
    return adapted


def _channels_first(x: Tensor) -> Tensor:
    """Drop leading axes of length 1, so that the first axis counts channels."""
    while x.ndim > 2 and x.shape[0] == 1:
        x = x[0]
    return x


def _pack(numbers: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)  # noise has no repeats, only a histogram
    return packer.compress(numbers) + packer.flush()


def _unpack(path: str | Path, packed: Tensor, length: int) -> Tensor:
    try:
        numbers = zlib.decompressobj().decompress(packed.numpy().tobytes(), length + 1)
    except zlib.error as error:
        raise UserError(f"{path} needs whole packed numbers; they are damaged ({error})") from error
    if len(numbers) != length:
        raise UserError(f"{path} needs {length} packed numbers; it has {'more' if len(numbers) > length else len(numbers)}")
    return torch.frombuffer(bytearray(numbers), dtype=torch.int8) if length else torch.empty(0, dtype=torch.int8)
