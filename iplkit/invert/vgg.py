"""The paper's eye: VGG-16 up to conv4_2, from the file of torchvision's weights that a reader has.

Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", configuration D. Abdal et al. 2019
compare pictures in conv1_1, conv1_2, conv3_2 and conv4_2, at 256 pixels.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.errors import NotHere, UserError
from iplkit.extractors.files import fill, read_state
from iplkit.images import resize
from iplkit.invert.perceptual import Perceptual

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512))  # up to conv4_2
PLACES = {"conv1_1": 0, "conv1_2": 2, "conv2_2": 7, "conv3_2": 12, "conv3_3": 14, "conv4_2": 19}  # in torchvision's list
PAPER, PLUS = ("conv1_1", "conv1_2", "conv3_2", "conv4_2"), ("conv1_1", "conv1_2", "conv2_2", "conv3_3")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the pictures that it was trained on, in [0, 1]
SIDE = 256


class Vgg(nn.Module):
    """Convolutions and rectifiers, numbered as torchvision does.

    Args:
        layers: names out of `PLACES`.
        rectified: take each layer after its rectifier, as networks in Caffe, where both share their memory, do. False
            takes the convolution's own output.
    """

    def __init__(self, layers: tuple[str, ...] = PAPER, rectified: bool = True):
        super().__init__()
        if unknown := [name for name in layers if name not in PLACES]:
            raise UserError(f"a layer of VGG is one of {', '.join(PLACES)}; got {', '.join(unknown)}")
        self.layers, self.rectified = tuple(layers), rectified
        self.features, inside = nn.Sequential(), 3
        for number, widths in enumerate(WIDTHS):
            for width in widths:
                self.features.append(nn.Conv2d(inside, width, 3, padding=1)).append(nn.ReLU())
                inside = width
            if number + 1 < len(WIDTHS):
                self.features.append(nn.MaxPool2d(2))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of pictures in [-1, 1], ``[N, 3, H, W]`` -> one ``[N, C, h, w]`` a layer; larger pictures are averaged to 256."""
        if images.shape[-1] > SIDE:
            images = resize(images, SIDE, mode="area")
        mean, std = (torch.tensor(v, dtype=images.dtype, device=images.device).view(1, 3, 1, 1) for v in (MEAN, STD))
        x, wanted, found = ((images + 1) / 2 - mean) / std, {PLACES[n] + self.rectified: n for n in self.layers}, {}
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in wanted:
                found[wanted[place]] = x
            if len(found) == len(wanted):
                break
        return [found[name] for name in self.layers]


def load_vgg(path: str | Path, layers: tuple[str, ...] = PAPER, rectified: bool = True) -> Vgg:
    """Read torchvision's ``vgg16-397923af.pth``, frozen; what lies behind conv4_2 is left aside.

    Raises:
        UserError: a file that is missing, damaged, or of another network.
    """
    state, _ = read_state(path)
    with torch.device("meta"):
        net = Vgg(layers, rectified)
    behind = tuple(f"features.{k}." for k in range(len(net.features), 31))
    fill(net, state, path, ignored=("classifier.", *behind))
    return net.eval().requires_grad_(False)


def vgg_perceptual(net: Vgg) -> Perceptual:
    """The perceptual term of the paper: layers with plain means, each with weight 1."""
    return Perceptual(net, False, f"VGG-16: {', '.join(net.layers)}" + ("" if net.rectified else ", not rectified"))


def paper_perceptual(layers: tuple[str, ...] = PAPER, folder: Path | None = None) -> Perceptual:
    """The same from the reader's folder of weights; nothing is downloaded.

    Raises:
        UserError: if the file is not there; the sentence says where it is looked for.
    """
    path = zoo.path_of("vgg16", "paper", folder)
    if not path.is_file():
        raise NotHere(f"the perceptual term of the paper needs {path.name}; there is none in {path.parent}, get it with: iplkit zoo get vgg16")
    return vgg_perceptual(load_vgg(path, layers))
