"""The encoders of faces that were published: pSp, e4e and the two of ReStyle, in the key layout of their files.

Richardson et al. 2021, "Encoding in Style" (pSp); Tov et al. 2021, "Designing an Encoder for StyleGAN Image Manipulation" (e4e);
Alaluf et al. 2021, "ReStyle". A trunk looks at 256 px, one small head a row of W+ answers.

Axis letters: N images, R rows of W+, D width of w, C H W maps.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from iplkit.errors import UserError
from iplkit.extractors.arcface import UNITS, Unit

RESNET_UNITS = ((64, 3), (128, 4), (256, 6), (512, 3))
COARSE, MIDDLE = 3, 7  # rows below these look at the smallest, at the middle map of the pyramid; the others at the largest


@dataclass(frozen=True)
class Design:
    """What a name in a file's options means.

    Args:
        trunk: "ir-se50", or "resnet34" for what is no face.
        heads: "pyramid" (three maps), "last" (all heads on the last map) or "pooled" (one w from the mean of the last map).
        code: "rows" (each head says its row), "deltas" (head 0 says w, the others what their rows add) or "w".
        channels: of the input; 6 where the running render lies behind the picture. None takes either.
    """

    trunk: str
    heads: str
    code: str
    channels: int | None = 3


DESIGNS = {
    "GradualStyleEncoder": Design("ir-se50", "pyramid", "rows", None),
    "Encoder4Editing": Design("ir-se50", "pyramid", "deltas"),
    "BackboneEncoderUsingLastLayerIntoW": Design("ir-se50", "pooled", "w"),
    "SingleStyleCodeEncoder": Design("ir-se50", "pooled", "w"),
    "BackboneEncoder": Design("ir-se50", "last", "rows", 6),
    "ProgressiveBackboneEncoder": Design("ir-se50", "last", "deltas", 6),
    "ResNetBackboneEncoder": Design("resnet34", "last", "rows", 6),
    "ResNetProgressiveBackboneEncoder": Design("resnet34", "last", "deltas", 6),
}
KINDS = {
    "psp": "GradualStyleEncoder",
    "e4e": "Encoder4Editing",
    "restyle-psp": "BackboneEncoder",
    "restyle-e4e": "ProgressiveBackboneEncoder",
}


@dataclass(frozen=True)
class Sizes:
    """Sizes that all published files share; a test takes small ones.

    Args:
        side: of the picture that the trunk looks at, pixels.
        units: channels and units of the four groups of the trunk; None takes those of its kind.
        width: of w, and of the maps that heads look at.
    """

    side: int = 256
    units: tuple[tuple[int, int], ...] | None = None
    width: int = 512


class ScaledLinear(nn.Linear):
    """Linear layer with weights of unit size, scaled when used; Karras et al. 2018, Sec. 4.1."""

    def forward(self, x: Tensor) -> Tensor:
        """``[N, D]`` -> ``[N, D]``."""
        return F.linear(x, self.weight / math.sqrt(self.in_features), self.bias)


class Head(nn.Module):
    """A map to one row: halve it until one place is left, ``[N, C, s, s]`` -> ``[N, D]``."""

    def __init__(self, width: int, side: int):
        super().__init__()
        steps = [layer for _ in range(side.bit_length() - 1) for layer in (nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU())]
        self.convs = nn.Sequential(*steps)
        self.linear = ScaledLinear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.linear(self.convs(x).flatten(1))


def _ir_se(channels: int, units) -> dict[str, nn.Module]:
    """ArcFace's network without its last layer, over any number of input channels."""
    first = units[0][0]
    stem = nn.Sequential(nn.Conv2d(channels, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first))
    return {"input_layer": stem, "body": nn.Sequential(*_body(units, Unit, first_stride=2))}


def _resnet(channels: int, units) -> dict[str, nn.Module]:
    """ResNet-34 (He et al. 2016) without its first pooling and its last layer."""
    first = units[0][0]
    stem = {"conv1": nn.Conv2d(channels, first, 7, 2, 3, bias=False), "bn1": nn.BatchNorm2d(first), "relu": nn.PReLU(first)}
    return stem | {"body": nn.Sequential(*_body(units, _basic_block, first_stride=1))}


TRUNKS = {"ir-se50": (_ir_se, UNITS), "resnet34": (_resnet, RESNET_UNITS)}


def _body(units, make, first_stride: int) -> list[nn.Module]:
    found, inside = [], units[0][0]
    for group, (width, count) in enumerate(units):
        for index in range(count):
            stride = 1 if index else (2 if group else first_stride)
            found.append(make(inside, width, stride))
            inside = width
    return found


def _basic_block(inside: int, outside: int, stride: int) -> BasicBlock:
    shortcut = None
    if inside != outside or stride != 1:
        shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
    return BasicBlock(inside, outside, stride, shortcut)


class PublishedNet(nn.Module):
    """Pictures to what is added to the mean code, or to the code of the pass before.

    Args:
        design: see `Design`.
        num_ws: rows of W+ of the generator it was trained for.
        channels: 3, or 6 with the running render.
        sizes: see `Sizes`.
    """

    def __init__(self, design: Design, num_ws: int, channels: int = 3, sizes: Sizes = Sizes()):
        super().__init__()
        self.design, self.num_ws, self.channels, self.sizes = design, num_ws, channels, sizes
        make, usual = TRUNKS[design.trunk]
        units = sizes.units or usual
        self.ends = [sum(count for _, count in units[: group + 1]) - 1 for group in range(len(units))]
        for name, part in make(channels, units).items():
            self.add_module(name, part)
        small = sizes.side // 16
        if design.heads == "pooled":
            self.linear = ScaledLinear(sizes.width, sizes.width)
            return
        scale = [1 if row < COARSE or design.heads == "last" else 2 if row < MIDDLE else 4 for row in range(num_ws)]
        self.styles = nn.ModuleList(Head(sizes.width, small * s) for s in scale)
        if design.heads == "pyramid":
            self.latlayer1 = nn.Conv2d(units[2][0], sizes.width, 1)
            self.latlayer2 = nn.Conv2d(units[1][0], sizes.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3 or 6, side, side]`` in [-1, 1] -> ``[N, R, D]``.

        Raises:
            UserError: another number of channels or another side.
        """
        if x.ndim != 4 or tuple(x.shape[1:]) != (self.channels, self.sizes.side, self.sizes.side):
            raise UserError(f"this encoder needs input [N, {self.channels}, {self.sizes.side}, {self.sizes.side}]; got {list(x.shape)}")
        maps = self._maps(x)
        if self.design.heads == "pooled":
            return self.linear(maps[-1].mean(dim=(2, 3)))[:, None].expand(-1, self.num_ws, -1)
        seen = self._seen(maps)
        answers = torch.stack([head(seen(row)) for row, head in enumerate(self.styles)], dim=1)  # [N, R, D]
        if self.design.code == "rows":
            return answers
        return answers[:, :1] + torch.cat([torch.zeros_like(answers[:, :1]), answers[:, 1:]], dim=1)

    def _maps(self, x: Tensor) -> list[Tensor]:
        """The map after each of the four groups, the largest first."""
        x = self.input_layer(x) if self.design.trunk == "ir-se50" else self.relu(self.bn1(self.conv1(x)))
        found = []
        for index, unit in enumerate(self.body):
            x = unit(x)
            if index in self.ends:
                found.append(x)
        return found

    def _seen(self, maps: list[Tensor]):
        """Row -> the map that its head looks at."""
        if self.design.heads == "last":
            return lambda row: maps[-1]
        middle = _enlarge(maps[3], maps[2]) + self.latlayer1(maps[2])
        large = _enlarge(middle, maps[1]) + self.latlayer2(maps[1])
        return lambda row: maps[3] if row < COARSE else middle if row < MIDDLE else large


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)
