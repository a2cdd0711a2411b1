"""Checkpoints of a run that may be killed at any moment: one safetensors file, and a page of JSON that points at it.

The page is written last, so it never names a file that is not whole.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.weights import atomic_path, read_weights, write_weights

PAGE = "checkpoint.json"


def save_checkpoint(
    folder: Path, key: str, step: int, modules: dict[str, nn.Module | None], optimizer: torch.optim.Optimizer, page: dict
) -> None:
    """Write the state after `step` updates; what older or killed writes left is removed afterwards.

    Args:
        folder: one folder a run.
        key: what the run is; `load_checkpoint` refuses another.
        step: updates done.
        modules: everything that changes: the generator in training, its average, what the plugs remember.
        optimizer: the optimizer of the first.
        page: anything else the run needs, as JSON.
    """
    folder, stem = Path(folder), f"step-{step:06d}"
    tensors = {f"{which}.{name}": t for which, module in modules.items() if module is not None for name, t in _named(module)}
    write_weights(folder / f"{stem}.safetensors", tensors | moments_of(optimizer), {"step": step})
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(json.dumps({"key": key, "step": step} | page), encoding="utf-8")
    for old in (*folder.glob("step-*"), *folder.glob(".step-*"), *folder.glob(f".{Path(PAGE).stem}.*")):
        if old.stem != stem:
            old.unlink()


def read_page(folder: Path, key: str) -> dict | None:
    """The page of a folder's checkpoint, or None if it holds none.

    Raises:
        UserError: if the checkpoint belongs to another run, or the page is damaged.
    """
    page = Path(folder) / PAGE
    if not page.is_file():
        return None
    try:
        content = json.loads(page.read_text(encoding="utf-8"))
        found, _ = content["key"], int(content["step"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{page} needs to be a whole checkpoint page; it is damaged, remove {folder}") from error
    if found != key:
        raise UserError(f"{folder} needs to hold a checkpoint of this run; it is one of other models, words or settings")
    return content


def load_checkpoint(
    folder: Path, key: str, modules: dict[str, nn.Module | None], optimizer: torch.optim.Optimizer
) -> dict | None:
    """Restore the state of `save_checkpoint` in place.

    Returns:
        The page with "step", or None if the folder holds no checkpoint.

    Raises:
        UserError: if the checkpoint belongs to another run, or is damaged.
    """
    page = read_page(folder, key)
    if page is None:
        return None
    folder, stem = Path(folder), f"step-{page['step']:06d}"
    tensors, _ = read_weights(folder / f"{stem}.safetensors")
    try:
        for which, module in modules.items():
            if module is not None:
                restore(module, tensors, which)
    except KeyError as error:
        raise UserError(f"{folder / stem}.safetensors needs the tensor {error}; it is damaged, remove {folder}") from error
    restore_moments(optimizer, tensors)
    return page


def _named(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters, and the buffers that are kept: noise stays as it is, but costs little."""
    return list(module.state_dict().items())


@torch.no_grad()
def restore(module: nn.Module, tensors: dict[str, Tensor], which: str) -> None:
    """Copy the tensors named ``which.`` into a module; a KeyError names one that is missing."""
    for name, tensor in _named(module):
        tensor.copy_(tensors[f"{which}.{name}"])


def moments_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's step and moments, by the place of their parameter."""
    state = optimizer.state_dict()["state"]
    return {f"adam.{place}.{name}": t for place, entry in state.items() for name, t in entry.items()}


def restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The way back from `moments_of`, among other tensors."""
    state = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, place, entry = name.split(".")
            state.setdefault(int(place), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
