"""IPL's first stage on disk: a mapper in training, or trained, that an interrupted run finds again.

One safetensors file holds weights, Adam's moments and the log, and is replaced as a whole. A kill leaves the
old one or the new one.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from iplkit.adapt.checkpoints import moments_of, restore, restore_moments
from iplkit.errors import UserError
from iplkit.weights import read_weights, write_weights


@dataclass(frozen=True)
class MapperCheckpoint:
    """Where the first stage of one run is kept.

    Args:
        path: the file.
        key: what the run is; another run's file is not read, and written over.
        every: steps between two writes.
    """

    path: Path
    key: str
    every: int

    def load(self, mapper: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict]:
        """Restore mapper and optimizer in place; returns the log so far, empty if there is none of this run.

        Raises:
            UserError: if the file is damaged.
        """
        for killed in self.path.parent.glob(f".{self.path.stem}.*"):
            killed.unlink()
        if not self.path.is_file():
            return []
        tensors, page = read_weights(self.path)
        if page.get("key") != self.key:
            return []
        try:
            restore(mapper, tensors, "mapper")
        except KeyError as error:
            raise UserError(f"{self.path} needs the tensor {error}; it is damaged, remove {self.path.parent}") from error
        restore_moments(optimizer, tensors)
        return page["log"]

    def save(self, mapper: nn.Module, optimizer: torch.optim.Optimizer, log: list[dict], steps: int) -> None:
        """Write the state after ``len(log)`` of `steps` updates, if it is time; after the last one without Adam's moments."""
        last = len(log) == steps
        if last or len(log) % self.every == 0:
            tensors = {f"mapper.{name}": tensor for name, tensor in mapper.state_dict().items()}
            write_weights(self.path, tensors | ({} if last else moments_of(optimizer)), {"key": self.key, "log": log})
