"""Weights on disk: safetensors only, written whole or not at all, checked before they are read.

A file of weights holds tensors and one JSON record about them. Nothing in it can run code.
"""

import hashlib
import json
import zipfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.files import atomic_path, sha256

__all__ = ["atomic_path", "file_kind", "read_metadata", "read_weights", "sha256", "write_weights", "zip_inside"]
RECORD = "iplkit"  # the one metadata key; one key has one order, so equal weights are equal bytes


def file_kind(path: str | Path) -> str:
    """What a file is, from its first bytes and never from its name.

    Returns:
        One of "safetensors", "html" (a failed download), "zip" (what `torch.save` writes today),
        "pickle", "empty", "unknown".

    Raises:
        UserError: if there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"weights need an existing file; there is none at {path}")
    with open(path, "rb") as file:
        head = file.read(512)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "empty"
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "html"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head[8:9] == b"{":
        return "safetensors"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "pickle"
    return "unknown"


def zip_inside(path: str | Path) -> str:
    """The first name in an archive that somebody packed a file into; empty for what torch writes, which is an archive, too."""
    if file_kind(path) != "zip" or not zipfile.is_zipfile(path):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return ""
    return "" if any(name.endswith("/data.pkl") for name in names) else next(iter(names), "")[:80]


def write_weights(path: str | Path, tensors: dict[str, Tensor], metadata: dict, dtype: torch.dtype | None = None) -> None:
    """Write tensors and a record about them into one safetensors file, atomically.

    The same tensors and the same record always give the same bytes.

    Args:
        path: the file to write; what was there is replaced.
        tensors: name -> tensor, any device.
        metadata: the record; any value that JSON can hold.
        dtype: storage type of the floating tensors, for example `torch.float16`; None keeps theirs.

    Raises:
        UserError: if a value does not fit into `dtype`, or the record is not JSON.
    """
    try:
        record = json.dumps(metadata, sort_keys=True)
    except TypeError as error:
        raise UserError(f"metadata needs values that JSON can hold; {error}") from error
    stored = {name: _stored(name, tensor, dtype) for name, tensor in sorted(tensors.items())}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(stored, metadata={RECORD: record}))


def _stored(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    tensor = tensor.detach().cpu()
    if dtype is not None and tensor.is_floating_point():
        small = tensor.to(dtype)
        if bool(tensor.isfinite().all()) and not bool(small.isfinite().all()):
            raise UserError(f"{name} needs values that {dtype} can hold; its largest is {float(tensor.abs().max()):.3g}")
        tensor = small
    return tensor.clone(memory_format=torch.contiguous_format)


def read_weights(path: str | Path, sha256: str | None = None) -> tuple[dict[str, Tensor], dict]:
    """Read what `write_weights` wrote; any other safetensors file is read too.

    Args:
        path: the file.
        sha256: the hash the file must have; None accepts any.

    Returns:
        The tensors (floating ones as float32, whole numbers as stored) and the record.

    Raises:
        UserError: if the file is missing, cut short, a web page, a pickle, or has another hash.
    """
    _refuse_other_kinds(path)
    content = Path(path).read_bytes()
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise UserError(f"{path} needs SHA-256 {sha256}; it has {found}")
    strings = _metadata(path, content)
    try:
        tensors = safetensors.torch.load(content)
    except Exception as error:
        raise UserError(f"{path} needs to be a whole safetensors file; it is damaged ({error})") from error
    tensors = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    return tensors, json.loads(strings[RECORD]) if RECORD in strings else strings


def read_metadata(path: str | Path) -> dict:
    """The record of a weights file alone, without its tensors.

    Raises:
        UserError: as `read_weights`.
    """
    _refuse_other_kinds(path)
    strings = _metadata(path, Path(path).read_bytes())
    return json.loads(strings[RECORD]) if RECORD in strings else strings


def _refuse_other_kinds(path: str | Path) -> None:
    kind = file_kind(path)
    if kind != "safetensors":
        names = {"html": "a web page, so the download failed", "zip": "a zip or torch file", "empty": "empty"}
        names |= {"pickle": "a pickle, which could run code", "unknown": "something else"}
        raise UserError(f"{path} needs to be a safetensors file; it is {names[kind]}")


def _metadata(path: str | Path, content: bytes) -> dict:
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length]) if 8 + length <= len(content) else None
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        needed = 8 + length + max(ends, default=0)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} needs a whole safetensors header; it is cut short or damaged") from error
    if needed != len(content):
        raise UserError(f"{path} needs {needed} bytes; it has {len(content)}, so it is cut short or damaged")
    return header.get("__metadata__", {})
