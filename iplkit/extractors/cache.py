"""Features kept on disk under what they were computed from: bytes of the images, weights, protocol, layers."""

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.extractors.base import Extractor
from iplkit.paths import root
from iplkit.weights import read_weights, write_weights

VERSION = 1  # of the code behind the numbers; raise it when an extractor computes something else under the same protocol


def cache_folder() -> Path:
    """Where `iplkit evaluate` and the notebooks keep features; git ignores it."""
    return root() / "_build" / "features"


def block_key(extractor: Extractor, layers: tuple[str, ...], images: Tensor) -> str:
    """SHA-256 of everything that decides the features of a block of uint8 images."""
    about = {"extractor": extractor.name, "profile": extractor.profile, "weights": extractor.hash}
    about |= {"protocol": extractor.protocol, "layers": sorted(layers), "version": VERSION, "shape": list(images.shape)}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(images.cpu().contiguous().numpy())
    return digest.hexdigest()


def read_block(folder: Path, key: str, layers: tuple[str, ...], n: int) -> dict[str, Tensor] | None:
    """A stored block, or None if there is none or the file is damaged: then it is computed anew and replaced."""
    path = folder / f"{key}.safetensors"
    if not path.is_file():
        return None
    try:
        tensors, record = read_weights(path)
    except (UserError, OSError):
        return None
    whole = record.get("key") == key and all(name in tensors and len(tensors[name]) == n for name in layers)
    return {name: tensors[name] for name in layers} if whole else None


def write_block(folder: Path, key: str, found: dict[str, Tensor]) -> None:
    """Store a block, whole or not at all."""
    write_weights(folder / f"{key}.safetensors", {name: t.to(torch.float32) for name, t in found.items()}, {"key": key})
