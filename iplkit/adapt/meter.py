"""What a computation needs, found without computing it: bytes alive at most, and operations.

Torch's fake tensors have a shape and a device and no numbers. A step that is walked with them allocates, saves and frees what the
real one does.
"""

import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


CONVOLUTIONS = (torch.ops.aten.convolution, torch.ops.aten.convolution_backward)


def _reordered(maps: list) -> int:
    """Bytes that a convolution on the CPU holds while it works: its two largest maps once more, in an order of its own.

    It needs none where channels are innermost already.
    """
    maps = [x for x in maps if isinstance(x, Tensor) and x.ndim == 4 and x.device.type == "cpu"]
    apart = [x.nbytes for x in maps if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last)]
    return sum(sorted(apart)[-2:])


class Meter(TorchDispatchMode):
    """Counts the storages that operations inside the block make. Tensors from before are not counted.

    Attributes:
        now: bytes alive.
        most: the largest value of `now`.
        operations: two for a multiplication with its addition, in matrix products and convolutions.
    """

    def __init__(self):
        super().__init__()
        self.now = self.most = self.operations = 0
        self.seen: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.operations += flop_registry[func._overloadpacket](*args, **kwargs, out_val=made)
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        if func._overloadpacket in CONVOLUTIONS:
            self.most = max(self.most, self.now + _reordered([*args[:2], *tree_leaves(made)]))
        return made

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        place, size = storage._cdata, storage.nbytes()
        if place in self.seen:
            return

        def gone(_, place=place, size=size):
            self.seen.pop(place, None)
            self.now -= size

        self.seen[place] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def measure(function) -> tuple[int, int]:
    """Bytes alive at most, and operations (two for a multiplication with its addition) of a call."""
    with Meter() as meter:
        function()
    return meter.most, meter.operations
