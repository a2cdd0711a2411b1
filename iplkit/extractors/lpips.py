"""The LPIPS of the papers: the trunk of VGG-16 and the published heads; its mathematics is `iplkit.metrics.lpips`.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", Sec. 3.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.extractors.base import Extractor, FileExtractor, random_state, shrink
from iplkit.extractors.files import read_state
from iplkit.metrics.distances import blockwise_distances
from iplkit.metrics.lpips import lpips_distance, lpips_embedding

VGG = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions of each size
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the published code, for pixels in [-1, 1]


def unit_layers(maps: Sequence[Tensor]) -> Tensor:
    """Vectors ``[N, E]`` whose squared distance is LPIPS with all layers and channels weighed alike, 1 / layers each.

    Args:
        maps: one per layer, ``[N, C, h, w]``.
    """
    return lpips_embedding(maps, [torch.full((m.shape[1],), 1 / len(maps), device=m.device) for m in maps])


class _Trunk(nn.Module):
    """VGG-16 up to its last convolution (Simonyan and Zisserman 2015, configuration D), and one weight per channel."""

    def __init__(self):
        super().__init__()
        self.features, channels = nn.Sequential(), 3
        for width, depth in VGG:
            for _ in range(depth):
                self.features.append(nn.Conv2d(channels, width, 3, padding=1)).append(nn.ReLU(inplace=True))
                channels = width
            self.features.append(nn.MaxPool2d(2))
        for index, (width, _) in enumerate(VGG):
            head = nn.Conv2d(width, 1, 1, bias=False)
            self.add_module(f"lin{index}", nn.ModuleDict({"model": nn.ModuleDict({"1": head})}))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The last map of each size, before its pooling."""
        maps = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
            if len(maps) == len(VGG):
                return maps
            x = layer(x)
        return maps

    def weights(self) -> list[Tensor]:
        """Per layer ``[C]``."""
        return [getattr(self, f"lin{i}")["model"]["1"].weight.flatten() for i in range(len(VGG))]


class VggLpips(FileExtractor):
    """LPIPS of the papers, version 0.1 on VGG-16.

    Layers: "lpips" ``[N, E]``, squared distances are LPIPS. E is 8 million at 256 px.
    """

    name = "lpips"
    profile = "paper"
    layers = ("lpips",)
    bulky = ("lpips",)
    smallest = 16
    protocol = {"resize": "larger than 256: bicubic to 256, antialias", "trunk": "VGG-16", "version": "0.1"}
    ignored = ("classifier.",)

    @classmethod
    def build(cls) -> nn.Module:
        """The keys of ``vgg16-397923af.pth`` without its classifier, and ``lin{0..4}.model.1.weight`` of the heads."""
        with torch.device("meta"):
            return _Trunk()

    @staticmethod
    def finish(net: nn.Module) -> nn.Module:
        """Channels last; refuses weights that make LPIPS no distance."""
        if any(bool((w < 0).any()) for w in net.weights()):
            raise UserError("the heads of LPIPS need weights that are not negative; some are")
        return net.to(memory_format=torch.channels_last)

    @classmethod
    def from_files(cls, trunk: str | Path, heads: str | Path) -> "VggLpips":
        """Read torchvision's trunk and the heads; the hash is that of both files' hashes, one behind the other."""
        (features, first), (lins, second) = read_state(trunk), read_state(heads)
        return cls(features | lins, hashlib.sha256((first + second).encode()).hexdigest(), origin=f"{trunk} with {heads}")

    @classmethod
    def random_weights(cls, seed: int = 0) -> "VggLpips":
        """See `FileExtractor.random_weights`; the heads are made positive."""
        state = random_state(cls.build(), seed)
        return cls({name: t.abs() if name.startswith("lin") else t for name, t in state.items()}, random=True)

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        shift, scale = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (SHIFT, SCALE))
        x = ((shrink(images) - shift) / scale).contiguous(memory_format=torch.channels_last)
        return {"lpips": lpips_embedding(self.net(x), self.net.weights())}



def lpips_matrix(extractor: Extractor, images: Tensor, *, budget: float = 2e9, batch_size: int = 16) -> Tensor:
    """LPIPS between all pairs of images.

    All vectors of a set can be far larger than the memory (32 GB for 1000 pictures of 256 px). Then blocks of them are
    held, two at a time, and computed again for each pair of blocks: never once a pair of images.

    Args:
        extractor: one with the layer "lpips".
        images: uint8, ``[N, 3, H, W]``.
        budget: bytes that the vectors of a block may take.
        batch_size: images that the network sees at once.

    Returns:
        ``[N, N]`` float64, symmetric, 0 on the diagonal.
    """

    def vectors(start: int, stop: int) -> Tensor:
        return torch.cat([extractor(batch, ["lpips"])["lpips"] for batch in images[start:stop].split(batch_size)])

    block = max(1, int(budget / (4 * vectors(0, 1).shape[1])))
    return blockwise_distances(vectors, len(images), block)


def lpips_of_pairs(extractor: Extractor, a: Tensor, b: Tensor, batch_size: int = 8) -> Tensor:
    """LPIPS of image i of one set and image i of the other, uint8 ``[N, 3, H, W]`` each -> ``[N]`` float64."""
    pairs = zip(a.split(batch_size), b.split(batch_size), strict=True)
    return torch.cat([lpips_distance(*(extractor(part, ["lpips"])["lpips"] for part in pair)) for pair in pairs])
