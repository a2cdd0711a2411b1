"""The two Inceptions as extractors: FID's own, and torchvision's, which older scores and SIFID were computed with."""

import torch
from torch import Tensor, nn

from iplkit.extractors.base import FileExtractor, shrink
from iplkit.extractors.inception_net import InceptionNet

SIDE = 299


def tf1_rows(inside: int, outside: int) -> Tensor:
    """TensorFlow 1's bilinear resize of one axis as a matrix, ``[outside, inside]``, rows that sum to 1.

    Output i lies at i * inside / outside: corners are not centers there, and nothing is filtered before shrinking.
    """
    place = torch.arange(outside, dtype=torch.float32) * (torch.tensor(float(inside)) / outside)
    low = place.floor().long().clamp(max=inside - 1)
    share = place - low
    rows, here = torch.zeros(outside, inside), torch.arange(outside)
    rows[here, low] += 1 - share
    rows[here, (low + 1).clamp(max=inside - 1)] += share
    return rows


def resize_tf1(images: Tensor, side: int = SIDE) -> Tensor:
    """The resize that FID is defined with, float ``[N, 3, H, W]`` -> ``[N, 3, side, side]``, as two products of matrices."""
    height, width = images.shape[-2:]
    if height != side:
        images = tf1_rows(height, side).to(images.device) @ images
    return images if width == side else images @ tf1_rows(width, side).T.to(images.device)


class Inception(FileExtractor):
    """Inception as FID knows it. Heusel et al. 2017; Salimans et al. 2016 for the logits.

    Layers: "pool" ``[N, 2048]``; "logits_unbiased" ``[N, 1008]``, which the reference Inception Score takes; "logits",
    with the bias, which it does not.
    """

    name = "inception"
    profile = "paper"
    layers = ("pool", "logits_unbiased", "logits")
    protocol = {"resize": "TF1 bilinear to 299, no antialias", "range": "(x - 128) / 128"}

    @classmethod
    def build(cls) -> nn.Module:
        """566 tensors, named as in ``pt_inception-2015-12-05-6726825d.pth``."""
        with torch.device("meta"):
            return InceptionNet(1008, fid=True)

    @staticmethod
    def finish(net: nn.Module) -> nn.Module:
        """Normalizations folded."""
        return net.fold()

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        x = (resize_tf1(images.float()) - 128) / 128
        pool = self.net.pool(self.net.stem(x)["map192"])
        found = {"pool": pool}
        if "logits_unbiased" in layers:
            found["logits_unbiased"] = pool @ self.net.fc.weight.T
        if "logits" in layers:
            found["logits"] = self.net.fc(pool)
        return found


class TorchvisionInception(FileExtractor):
    """Inception with torchvision's ImageNet weights, at the size the images come in, up to 256 px.

    Layers: "logits" ``[N, 1000]``, with the bias, for the Inception Score of the adaptation papers; "map64"
    ``[N, 64, h, w]`` and "map192" ``[N, 192, h', w']``, the maps before the two poolings, for SIFID (Shaham et al. 2019,
    "SinGAN", Sec. 3.2).
    """

    name = "torchvision-inception"
    profile = "paper"
    layers = ("logits", "map64", "map192")
    bulky = ("map64", "map192")
    smallest = 75
    protocol = {"resize": "larger than 256: bicubic to 256, antialias", "range": "2 x / 255 - 1"}
    ignored = ("AuxLogits.",)

    @classmethod
    def build(cls) -> nn.Module:
        """Named as ``inception_v3_google-0cc3c7bd.pth``; its second head serves only a training and is left out."""
        with torch.device("meta"):
            return InceptionNet(1000, fid=False)

    @staticmethod
    def finish(net: nn.Module) -> nn.Module:
        """Normalizations folded."""
        return net.fold()

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        found = self.net.stem(shrink(images))
        if "logits" in layers:
            found["logits"] = self.net.fc(self.net.pool(found["map192"]))
        return found
