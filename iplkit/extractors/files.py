"""A reader's weight file: read without running anything in it, and refused in one sentence where it does not fit."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.weights import file_kind, read_weights, zip_inside
from iplkit.weights import sha256 as hash_of_file

WRONG = {"html": "a web page, so the download failed", "empty": "empty", "unknown": "something else"}


def read_state(path: str | Path, sha256: str | None = None) -> tuple[dict[str, Tensor], str]:
    """The tensors of a safetensors file or of a plain state dict of torch.

    Args:
        path: the file; its first bytes say what it is, never its name.
        sha256: the hash it must have, or its first digits; None accepts any.

    Returns:
        Name -> tensor, and the SHA-256 of the file.

    Raises:
        UserError: if the file is missing, cut short, a web page, a pickle that runs code, of another hash, or holds
            anything but named tensors.
    """
    kind = file_kind(path)
    if kind in WRONG:
        raise UserError(f"{path} needs to be a safetensors file or a state dict of torch; it is {WRONG[kind]}")
    found = hash_of_file(path)
    if sha256 is not None and not found.startswith(sha256):
        raise UserError(f"{path} needs a SHA-256 that begins with {sha256}; it has {found}")
    if packed := zip_inside(path):
        raise UserError(f"{path} needs to be a safetensors file or a state dict of torch; it is an archive with {packed} inside, so unpack it first")
    state = read_weights(path)[0] if kind == "safetensors" else _torch_state(path)
    return state, found


def _torch_state(path: str | Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        why = "it would run code" if "Unsupported" in str(error) or "weights_only" in str(error).lower() else "it is cut short or damaged"
        raise UserError(f"{path} needs to be a whole state dict of plain tensors; {why}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not state or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{path} needs to be a state dict of plain tensors; it holds something else")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def fill(net: nn.Module, state: dict[str, Tensor], origin: str | Path, ignored: Iterable[str] = ()) -> None:
    """Put every tensor into its place, and refuse a file of another architecture.

    Args:
        net: the network, perhaps on the "meta" device; counters of batches may be missing from the state.
        state: name -> tensor.
        origin: what a refusal calls the state.
        ignored: prefixes of names that have no place in the network.

    Raises:
        UserError: if a tensor is missing, unknown, of another shape, or not finite.
    """
    wanted = net.state_dict()
    given = {name: t for name, t in state.items() if not name.startswith(tuple(ignored))}
    wrong = [n for n in sorted(wanted.keys() | given.keys()) if _shape(wanted, n) != _shape(given, n) and not _counter(n)]
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{origin} needs {first} of shape {_shape(wanted, first)}; it has {_shape(given, first)}, "
            f"and {len(wrong)} of {len(wanted)} tensors do not fit"
        )
    broken = next((n for n, t in given.items() if t.is_floating_point() and not bool(t.isfinite().all())), None)
    if broken is not None:
        raise UserError(f"{origin} needs finite weights; {broken} has some that are not")
    given |= {name: torch.zeros((), dtype=torch.long) for name in wanted if _counter(name) and name not in given}
    net.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in given.items()}, assign=True)


def _shape(tensors: dict[str, Tensor], name: str) -> tuple | None:
    return tuple(tensors[name].shape) if name in tensors else None


def _counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")
