"""Files on disk: written whole or not at all, and known by their hash."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write under a temporary name in the same folder, then rename: readers never see half a file.

    The folder is made if it is missing. If the block raises, nothing is left behind.

    Args:
        path: where the file shall stand in the end.

    Yields:
        The temporary path to write to; it ends like `path`, for libraries that look at the ending.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def files_of(folder: str | Path) -> list[Path]:
    """The files of a folder, sorted by name; hidden ones and the folders below are left out."""
    return sorted(path for path in Path(folder).glob("*") if path.is_file() and not path.name.startswith("."))


def shipped_hashes() -> dict[str, str]:
    """Name of every shipped weight -> its SHA-256: ``generator``, ``clip``, ..., ``adapted/nada-sketch``."""
    path = Path(__file__).parent / "shipped" / "hashes.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {file.removesuffix(".safetensors"): digest for file, digest in found.items()}
