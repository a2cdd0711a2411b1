"""The identity of FFHQ faces: ArcFace on IR-SE50, as StyleCLIP, pSp and StyleGAN-NADA use it.

Deng et al. 2019, "ArcFace", Sec. 3; He et al. 2016, "Identity Mappings", for the order inside a unit; Hu et al. 2018,
"Squeeze-and-Excitation Networks", Sec. 3. Only for faces that are aligned as in FFHQ: dogs, cats and heavy styles lie
outside of what the weights have seen.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.extractors.base import FileExtractor
from iplkit.images import from_uint8
from iplkit.metrics.identity import ffhq_crop

UNITS = ((64, 3), (128, 4), (256, 14), (512, 3))  # channels and units of each size


class Squeeze(nn.Module):
    """Weigh the channels by what is in the whole map."""

    def __init__(self, channels: int, share: int = 16):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // share, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // share, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True)))).sigmoid()


class Unit(nn.Module):
    """What a unit adds to its input, at half the side if `stride` is 2."""

    def __init__(self, inside: int, outside: int, stride: int):
        super().__init__()
        self.shortcut_layer = nn.MaxPool2d(1, stride)
        if inside != outside:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 3, 1, 1, bias=False),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            Squeeze(outside),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut_layer(x) + self.res_layer(x)


class IrSe50(nn.Module):
    """Faces of 112 px in [-1, 1] to points on the unit sphere."""

    def __init__(self):
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        units, channels = [], 64
        for width, count in UNITS:
            for index in range(count):
                units.append(Unit(channels, width, 2 if index == 0 else 1))
                channels = width
        self.body = nn.Sequential(*units)
        last = nn.Linear(512 * 7 * 7, 512)
        self.output_layer = nn.Sequential(nn.BatchNorm2d(512), nn.Dropout(), nn.Flatten(), last, nn.BatchNorm1d(512))

    def forward(self, faces: Tensor) -> Tensor:
        """``[N, 3, 112, 112]`` -> ``[N, 512]``."""
        return F.normalize(self.output_layer(self.body(self.input_layer(faces))), dim=-1)


class ArcFace(FileExtractor):
    """Who it is: "embedding" ``[N, 512]`` on the unit sphere, from the published crop."""

    name = "arcface"
    profile = "paper"
    layers = ("embedding",)
    smallest = 256
    protocol = {"resize": "area to 256, crop [35:223, 32:220], area to 112", "range": "RGB in [-1, 1]"}

    @classmethod
    def build(cls) -> nn.Module:
        """397 tensors, named as in ``model_ir_se50.pth``."""
        with torch.device("meta"):
            return IrSe50()

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        return {"embedding": self.net(ffhq_crop(from_uint8(images)))}
