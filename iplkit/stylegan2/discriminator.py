"""The StyleGAN2 discriminator: residual blocks that halve the image until 4 x 4, and one number at the end.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", Sec. 4.1 and Fig. 7.

Axis letters: N images, C or I/O channels, H W space.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.stylegan2.fir import blur, fir_kernel
from iplkit.stylegan2.generator import GAIN, SLOPE, EqualLinear, GeneratorConfig


class EqualConv(nn.Module):
    """Convolution with equalized learning rate, after an optional low-pass filter that halves the size.

    A 1 x 1 convolution commutes with dropping pixels, so there the filter itself skips them.
    """

    def __init__(self, i: int, o: int, side: int, *, down: bool = False, activate: bool = True, rng: torch.Generator):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, side, side, generator=rng))
        self.bias = nn.Parameter(torch.zeros(o)) if activate else None
        self.down = down

    def forward(self, x: Tensor, fir: Tensor) -> Tensor:
        """``[N, I, H, W]`` -> ``[N, O, H, W]``, or half the side if `down`."""
        side = self.weight.shape[2]
        weight = self.weight / math.sqrt(self.weight[0].numel())
        if self.down and side == 1:
            y = F.conv2d(blur(x, fir, padding=1, stride=2), weight)
        elif self.down:
            y = F.conv2d(blur(x, fir, padding=2), weight, stride=2)
        else:
            y = F.conv2d(x, weight, padding=side // 2)
        if self.bias is None:
            return y
        return F.leaky_relu(y + self.bias.to(y.dtype)[:, None, None], SLOPE) * GAIN


class Block(nn.Module):
    """Two convolutions beside one shortcut; both halve the size, and their sum is divided by sqrt(2)."""

    def __init__(self, i: int, o: int, rng: torch.Generator):
        super().__init__()
        self.conv0 = EqualConv(i, i, 3, rng=rng)
        self.conv1 = EqualConv(i, o, 3, down=True, rng=rng)
        self.skip = EqualConv(i, o, 1, down=True, activate=False, rng=rng)

    def forward(self, x: Tensor, fir: Tensor) -> Tensor:
        """``[N, I, H, W]`` -> ``[N, O, H/2, W/2]``."""
        return (self.conv1(self.conv0(x, fir), fir) + self.skip(x, fir)) / math.sqrt(2)


def minibatch_stddev(x: Tensor, group: int = 4, eps: float = 1e-8) -> Tensor:
    """Append one channel that tells how much the images of a group differ, ``[N, C, H, W]`` -> ``[N, C + 1, H, W]``.

    Images n, n + N/group, ... form a group. It lets the discriminator see that a generator repeats itself.
    Karras et al. 2018, "Progressive Growing of GANs", Sec. 3.

    Args:
        x: feature maps.
        group: images a group, or all of them if there are fewer.
        eps: keeps the gradient finite where images are equal.

    Raises:
        UserError: if N is no multiple of the group.
    """
    n, c, h, w = x.shape
    group = min(group, n)
    if n % group:
        raise UserError(f"minibatch_stddev needs a batch that is a multiple of {group}; got {n}")
    y = x.float().reshape(group, n // group, c, h, w)
    spread = (y.var(dim=0, unbiased=False) + eps).sqrt().mean(dim=(1, 2, 3))  # [N / group]
    channel = spread.to(x.dtype).repeat(group)[:, None, None, None].expand(n, 1, h, w)
    return torch.cat([x, channel], dim=1)


class Discriminator(nn.Module):
    """How real an image looks: positive for real, negative for generated.

    Args:
        size: image side, pixels.
        channels: feature maps at 4, 8, ... up to `size` pixels.
        group: images a group of `minibatch_stddev`.
        seed: of the initial weights.
    """

    def __init__(self, size: int, channels: tuple[int, ...], group: int = 4, seed: int = 0):
        super().__init__()
        channels = GeneratorConfig(size, channels).channels  # one rule for sizes and channels
        rng = torch.Generator().manual_seed(seed)
        self.from_rgb = EqualConv(3, channels[-1], 1, rng=rng)
        pairs = zip(channels[:0:-1], channels[-2::-1])  # large images first
        self.blocks = nn.ModuleList(Block(i, o, rng) for i, o in pairs)
        self.conv = EqualConv(channels[0] + 1, channels[0], 3, rng=rng)
        self.hidden = EqualLinear(16 * channels[0], channels[0], activate=True, rng=rng)
        self.out = EqualLinear(channels[0], 1, rng=rng)
        self.size, self.channels, self.group = size, channels, group
        self.register_buffer("fir", fir_kernel(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, ``[N, 3, H, W]`` in [-1, 1] -> ``[N]``, float32."""
        if images.shape[1:] != (3, self.size, self.size):
            raise UserError(f"images need shape [N, 3, {self.size}, {self.size}]; got {tuple(images.shape)}")
        x = self.from_rgb(images, self.fir)
        for block in self.blocks:
            x = block(x, self.fir)
        x = self.conv(minibatch_stddev(x, self.group), self.fir)
        return self.out(self.hidden(x.flatten(1)))[:, 0]


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Squared slope of the discriminator at real images, mean over the batch, scalar.

    Multiply by gamma / 2 for the loss. Mescheder et al. 2018, "Which Training Methods for GANs do actually
    Converge?", Eq. (9).

    Args:
        logits: output for `images`, ``[N]``, with its graph.
        images: real images that require a gradient, ``[N, 3, H, W]``.
    """
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return slope.float().square().sum(dim=(1, 2, 3)).mean()
