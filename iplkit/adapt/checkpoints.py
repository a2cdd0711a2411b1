"""Checkpoints of a run that may be interrupted: weights, optimizer, and a page of JSON that points at them.

The page is written last, so it never names a file that is not whole.
"""

import json
from pathlib import Path

import torch
from torch import nn

from iplkit.errors import UserError
from iplkit.weights import atomic_path, read_weights, write_weights

PAGE = "checkpoint.json"


def save_checkpoint(
    folder: Path, key: str, step: int, target: nn.Module, ema: nn.Module | None, optimizer: torch.optim.Optimizer, page: dict
) -> None:
    """Write the state after `step` updates; older files of the folder are removed afterwards.

    Args:
        folder: one folder a run.
        key: what the run is; `load_checkpoint` refuses another.
        step: updates done.
        target: the generator in training.
        ema: its average, or None.
        optimizer: its optimizer.
        page: anything else the run needs, as JSON.
    """
    folder = Path(folder)
    tensors = {f"target.{name}": p for name, p in target.named_parameters()}
    if ema is not None:
        tensors |= {f"ema.{name}": p for name, p in ema.named_parameters()}
    stem = f"step-{step:06d}"
    write_weights(folder / f"{stem}.safetensors", tensors, {"step": step})
    with atomic_path(folder / f"{stem}.pt") as temporary:
        torch.save(optimizer.state_dict(), temporary)
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(json.dumps({"key": key, "step": step} | page), encoding="utf-8")
    for old in folder.glob("step-*"):
        if old.stem != stem:
            old.unlink()


def load_checkpoint(
    folder: Path, key: str, target: nn.Module, ema: nn.Module | None, optimizer: torch.optim.Optimizer
) -> dict | None:
    """Restore the state of `save_checkpoint` in place.

    Returns:
        The page with "step", or None if the folder holds no checkpoint.

    Raises:
        UserError: if the checkpoint belongs to another run, or is damaged.
    """
    folder = Path(folder)
    if not (folder / PAGE).is_file():
        return None
    try:
        page = json.loads((folder / PAGE).read_text(encoding="utf-8"))
        found, stem = page["key"], f"step-{page['step']:06d}"
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / PAGE} needs to be a whole checkpoint page; it is damaged, remove {folder}") from error
    if found != key:
        raise UserError(f"{folder} needs to hold a checkpoint of this run; it is one of other models, words or settings")
    tensors, _ = read_weights(folder / f"{stem}.safetensors")
    try:
        state = torch.load(folder / f"{stem}.pt", map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{folder / stem}.pt needs to be a whole optimizer state; it is damaged, remove {folder}") from error
    _restore(target, tensors, "target.")
    if ema is not None:
        _restore(ema, tensors, "ema.")
    optimizer.load_state_dict(state)
    return page


@torch.no_grad()
def _restore(module: nn.Module, tensors: dict, prefix: str) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(tensors[prefix + name])
