"""The file of an adapted generator: a packed difference that knows which generator file it belongs to.

The packing is `iplkit.stylegan2.differences`; here are its origin, and what it lost.
"""

from pathlib import Path

from torch import nn

from iplkit.errors import UserError
from iplkit.stylegan2.differences import load_difference, save_difference
from iplkit.weights import read_metadata


def write_difference(path: str | Path, source: nn.Module, target: nn.Module, base: str, metadata: dict) -> float:
    """Store what makes `target` out of `source`.

    Args:
        path: the file to write.
        source: the generator that adaptation started from.
        target: the adapted one, same architecture.
        base: SHA-256 of the source's file; `apply_difference` refuses any other.
        metadata: how the target was made (method, domain, settings, seed).

    Returns:
        What packing lost: norm of the error over norm of the difference.

    Raises:
        UserError: another architecture, or weights that are not finite.
    """
    save_difference(path, source, target, {"base": base, "about": metadata})
    before, after, kept = source.state_dict(), target.state_dict(), load_difference(path, source).state_dict()
    lost = sum(float((kept[name] - after[name]).square().sum()) for name in before)
    moved = sum(float((after[name] - before[name]).square().sum()) for name in before)
    return (lost / moved) ** 0.5 if moved else 0.0


def apply_difference(path: str | Path, generator: nn.Module, base: str) -> nn.Module:
    """A copy of the generator with a stored difference added.

    Args:
        path: a file of `write_difference`.
        generator: the source generator; it stays as it is.
        base: SHA-256 of the file that `generator` came from.

    Raises:
        UserError: no difference file, or one of another generator.
    """
    found = read_metadata(path).get("base")
    if found != base:
        raise UserError(f"{path} needs the generator file with SHA-256 {found}; this one has {base}")
    return load_difference(path, generator)
