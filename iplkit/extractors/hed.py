"""HED, holistically-nested edge detection: the detector that published SCS values rest on.

Xie and Tu 2015, "Holistically-Nested Edge Detection", Sec. 3: the trunk of VGG-16, a side output of one channel at each
of its five sizes, and their weighted sum. Written from the paper. As in the published port for torch, convolutions
are padded by one pixel and side outputs are enlarged bilinearly, where the paper pads by 35 and learns the enlargement.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.extractors.base import FileExtractor, shrink

STAGES = {"One": (64, 2), "Two": (128, 2), "Three": (256, 3), "Four": (512, 3), "Five": (512, 3)}
MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)  # of ImageNet, for bytes; Sec. 4.1 keeps VGG's convention


class HedNet(nn.Module):
    """Five stages, five side outputs, one sum; the names are those of ``network-bsds500.pytorch``."""

    def __init__(self):
        super().__init__()
        channels = 3
        for name, (width, depth) in STAGES.items():
            stage = nn.Sequential() if name == "One" else nn.Sequential(nn.MaxPool2d(2))
            for _ in range(depth):
                stage.append(nn.Conv2d(channels, width, 3, padding=1)).append(nn.ReLU(inplace=True))
                channels = width
            self.add_module(f"netVgg{name}", stage)
            self.add_module(f"netScore{name}", nn.Conv2d(width, 1, 1))
        self.netCombine = nn.Sequential(nn.Conv2d(len(STAGES), 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """BGR bytes minus their mean, ``[N, 3, H, W]`` -> edges ``[N, 1, H, W]`` in [0, 1]."""
        size, sides = x.shape[-2:], []
        for name in STAGES:
            x = getattr(self, f"netVgg{name}")(x)
            side = getattr(self, f"netScore{name}")(x)
            sides.append(F.interpolate(side, size=size, mode="bilinear", align_corners=False))
        return self.netCombine(torch.cat(sides, dim=1))


class Hed(FileExtractor):
    """Edges: "edges" ``[N, 1, H, W]`` in [0, 1], at the size of the images up to 256 px; they must have at least 16."""

    name = "hed"
    profile = "paper"
    layers = ("edges",)
    smallest = 16
    protocol = {"detector": "HED, sigmoid of the fused map, not rounded to bytes", "resize": "larger than 256: bicubic to 256, antialias", "range": "BGR bytes minus mean"}

    def __init__(self, state: dict[str, Tensor], *args, **options):
        renamed = {f"net{name.removeprefix('module')}" if name.startswith("module") else name: t for name, t in state.items()}
        super().__init__(renamed, *args, **options)

    @classmethod
    def build(cls) -> nn.Module:
        """38 tensors; the file's older names begin with "module" instead of "net"."""
        with torch.device("meta"):
            return HedNet()

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        mean = torch.tensor(MEAN_BGR, device=images.device).view(1, 3, 1, 1)
        bgr = (shrink(images).flip(1) + 1) * 127.5
        return {"edges": self.net(bgr - mean)}
