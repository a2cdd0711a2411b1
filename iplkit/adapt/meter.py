"""What a computation needs, found without computing it: bytes alive at most, bytes written, operations.

Torch's fake tensors have a shape and a device and no numbers. A step that is walked with them allocates, saves and frees what the
real one does.
"""

import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Meter(TorchDispatchMode):
    """Counts the storages that operations inside the block make. Tensors from before are not counted.

    Attributes:
        now: bytes alive.
        most: the largest value of `now`.
        written: bytes of all results, in-place ones too.
    """

    def __init__(self):
        super().__init__()
        self.now = self.most = self.written = 0
        self.seen: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        return made

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        place, size = storage._cdata, storage.nbytes()
        self.written += min(size, tensor.numel() * tensor.element_size())
        if place in self.seen:
            return

        def gone(_, place=place, size=size):
            self.seen.pop(place, None)
            self.now -= size

        self.seen[place] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def measure(function) -> tuple[int, int, int]:
    """Bytes alive at most, bytes written and operations (two for a multiplication with its addition) of a call."""
    with Meter() as meter, FlopCounterMode(display=False) as counter:
        function()
    return meter.most, meter.written, counter.get_total_flops()
