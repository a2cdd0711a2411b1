"""Inception v3, the network behind FID, KID, the Inception Score and SIFID, in its two published versions.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", Sec. 6. The version of FID (Heusel et
al. 2017) came from another port: its means leave the padding out, its last block takes a maximum, and it knows 1008
classes. The names of the layers are those of the two weight files, and so an interface.

A block is written as what it is: branches side by side, each a chain of steps. A step is ``(name, channels, kernel)``,
with stride 2 and no padding where a fourth entry says so, or a pooling, or two steps whose results are joined.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, MAX, MAX_HALF = "mean", "max", "max, half the side"
EPSILON = 1e-3  # of the batch normalization


def _a(pool: int) -> tuple:
    return (
        [("branch1x1", 64, 1)],
        [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
        [MEAN, ("branch_pool", pool, 1)],
    )


_B = (
    [("branch3x3", 384, 3, "half")],
    [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, "half")],
    [MAX_HALF],
)


def _c(c: int) -> tuple:
    row, column = (1, 7), (7, 1)
    long = [("branch7x7dbl_1", c, 1), ("branch7x7dbl_2", c, column), ("branch7x7dbl_3", c, row)]
    long += [("branch7x7dbl_4", c, column), ("branch7x7dbl_5", 192, row)]
    return (
        [("branch1x1", 192, 1)],
        [("branch7x7_1", c, 1), ("branch7x7_2", c, row), ("branch7x7_3", 192, column)],
        long,
        [MEAN, ("branch_pool", 192, 1)],
    )


_D = (
    [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, "half")],
    [("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1)), ("branch7x7x3_4", 192, 3, "half")],
    [MAX_HALF],
)


def _e(pool: str) -> tuple:
    return (
        [("branch1x1", 320, 1)],
        [("branch3x3_1", 384, 1), (("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1)))],
        [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), (("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1)))],
        [pool, ("branch_pool", 192, 1)],
    )


class Unit(nn.Module):
    """Convolution, normalization, ReLU; `fold` turns the first two into one."""

    def __init__(self, inside: int, outside: int, kernel: int | tuple[int, int], stride: int = 1, padding: str = "same"):
        super().__init__()
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        edge = tuple(k // 2 for k in kernel) if padding == "same" else 0
        self.conv = nn.Conv2d(inside, outside, kernel, stride, edge, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)

    @torch.no_grad()
    def fold(self) -> None:
        """Put the frozen normalization into kernel and bias, computed in float64."""
        bn, old = self.bn, self.conv
        gain = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()
        self.conv = nn.Conv2d(old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding, device="meta")
        self.conv.weight = nn.Parameter((old.weight.double() * gain[:, None, None, None]).float())
        self.conv.bias = nn.Parameter((bn.bias.double() - bn.running_mean.double() * gain).float())
        self.bn = nn.Identity()


class Block(nn.Module):
    """Branches side by side, joined along the channels.

    Args:
        inside: channels that come in.
        branches: see the head of this file.
        pad_counts: whether a mean at the border counts the zeros outside.
    """

    def __init__(self, inside: int, branches: tuple, pad_counts: bool):
        super().__init__()
        self.branches, self.pad_counts = branches, pad_counts
        self.outside = sum(self._add(chain, inside) for chain in branches)

    def _add(self, chain: list, channels: int) -> int:
        for step in chain:
            if isinstance(step, str):
                continue
            fork = isinstance(step[0], tuple)
            for name, outside, kernel, *half in step if fork else (step,):
                self.add_module(name, Unit(channels, outside, kernel, 2 if half else 1, "valid" if half else "same"))
            channels = sum(s[1] for s in step) if fork else step[1]
        return channels

    def _step(self, x: Tensor, step) -> Tensor:
        if step == MEAN:
            return F.avg_pool2d(x, 3, 1, 1, count_include_pad=self.pad_counts)
        if isinstance(step, str):
            return F.max_pool2d(x, 3, 2) if step == MAX_HALF else F.max_pool2d(x, 3, 1, 1)
        if isinstance(step[0], tuple):
            return torch.cat([self._step(x, s) for s in step], dim=1)
        return getattr(self, step[0])(x)

    def forward(self, x: Tensor) -> Tensor:
        joined = []
        for chain in self.branches:
            y = x
            for step in chain:
                y = self._step(y, step)
            joined.append(y)
        return torch.cat(joined, dim=1)


class InceptionNet(nn.Module):
    """The trunk and its classes.

    Args:
        classes: 1008 for the file of FID, 1000 for torchvision's.
        fid: the blocks of FID; False gives the paper's.
    """

    def __init__(self, classes: int, fid: bool):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2, "valid")
        self.Conv2d_2a_3x3 = Unit(32, 32, 3, 1, "valid")
        self.Conv2d_2b_3x3 = Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3, 1, "valid")
        blocks = {"5b": _a(32), "5c": _a(64), "5d": _a(64), "6a": _B, "6b": _c(128), "6c": _c(160), "6d": _c(160), "6e": _c(192)}
        blocks |= {"7a": _D, "7b": _e(MEAN), "7c": _e(MAX if fid else MEAN)}
        channels, self.mixed = 192, [f"Mixed_{name}" for name in blocks]
        for name, branches in zip(self.mixed, blocks.values(), strict=True):
            self.add_module(name, block := Block(channels, branches, pad_counts=not fid))
            channels = block.outside
        self.fc = nn.Linear(channels, classes)

    def fold(self) -> "InceptionNet":
        """Fold every normalization and store channels last, which is what a CPU likes; values stay within 1e-6."""
        for module in self.modules():
            if isinstance(module, Unit):
                module.fold()
        return self.to(memory_format=torch.channels_last)

    def stem(self, x: Tensor) -> dict[str, Tensor]:
        """The maps before the two poolings, ``[N, 3, H, W]`` -> "map64" ``[N, 64, h, w]`` and "map192" ``[N, 192, h', w']``."""
        x = x.contiguous(memory_format=torch.channels_last)
        map64 = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        return {"map64": map64, "map192": self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(map64, 3, 2)))}

    def pool(self, map192: Tensor) -> Tensor:
        """The last layer before the classes, averaged over space, ``[N, 192, h, w]`` -> ``[N, 2048]``."""
        x = F.max_pool2d(map192, 3, 2)
        for name in self.mixed:
            x = getattr(self, name)(x)
        return x.mean(dim=(2, 3))
