"""A StyleGAN2 generator's image in the published code's order of work, with the weights of our `Generator`.

Guo et al. 2023 and Gal et al. 2022 run their generators as the paper of StyleGAN2 writes them (Karras et al. 2020, Sec. 2.2):
every image gets its own kernels, and a grouped convolution applies them. Without compiled kernels the filter is a convolution of
one-channel pictures with the zeros set in by padding, and bias, leaky ReLU and its gain are three steps. The images are ours; the
time and the memory are not.

Axis letters: N images, R rows of W+, I and O input and output channels, K kernel side, H W space.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.stylegan2.fir import blur
from iplkit.stylegan2.fir import upsample as ours_upsample
from iplkit.stylegan2.generator import GAIN, SLOPE, EqualLinear, Generator, StyledConv, ToRGB

__all__ = ["codes", "images"]


def codes(generator: Generator, z: Tensor) -> Tensor:
    """The mapping network, ``[N, z_dim]`` -> ``[N, w_dim]``; bias and leaky ReLU behind the matrix."""
    x = z * torch.rsqrt(torch.mean(z**2, dim=1, keepdim=True) + 1e-8)
    for layer in generator.mapping.layers:
        scale = layer.lr_mul / math.sqrt(layer.weight.shape[1])
        x = leaky(F.linear(x, layer.weight * scale), layer.bias * layer.lr_mul)
    return x


def images(generator: Generator, ws: Tensor, noise: torch.Generator) -> Tensor:
    """The image of some W+ codes, ``[N, R, w_dim]`` -> ``[N, 3, H, W]``, with fresh pixel noise.

    Args:
        generator: whose weights are used; gradients reach them if they are wanted.
        ws: latent codes.
        noise: where pixel noise comes from; drawn as `Synthesis` draws it, so the same seed gives the same image.
    """
    synthesis = generator.synthesis
    x, image = synthesis.const.repeat(len(ws), 1, 1, 1), None
    for name, layer in synthesis.layers.items():
        w = ws[:, synthesis.rows[name]]
        if isinstance(layer, ToRGB):
            rgb = modulated(x, layer.weight, style_of(layer.affine, w), demodulate=False) + layer.bias.view(1, 3, 1, 1)
            image = rgb if image is None else rgb + doubled(image, synthesis.fir)
        else:
            x = styled(layer, x, w, synthesis.fir, noise)
    return image


def styled(layer: StyledConv, x: Tensor, w: Tensor, fir: Tensor, noise: torch.Generator) -> Tensor:
    """Convolution, noise, bias and leaky ReLU, each for itself."""
    x = modulated(x, layer.weight, style_of(layer.affine, w), fir=fir if layer.up else None)
    grain = torch.randn(len(x), 1, layer.size, layer.size, generator=noise, device=noise.device)
    return leaky(x + layer.noise_strength * grain.to(x.device), layer.bias)


def style_of(affine: EqualLinear, w: Tensor) -> Tensor:
    """The scale of each input channel, ``[N, w_dim]`` -> ``[N, I]``."""
    return F.linear(w, affine.weight * (affine.lr_mul / math.sqrt(affine.weight.shape[1])), bias=affine.bias * affine.lr_mul)


def leaky(x: Tensor, bias: Tensor) -> Tensor:
    """Bias, leaky ReLU, gain."""
    return F.leaky_relu(x + bias.view(1, -1, *[1] * (x.ndim - 2)), SLOPE) * GAIN


def modulated(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True, fir: Tensor | None = None) -> Tensor:
    """One kernel for each image, and one grouped convolution for the batch.

    Args:
        x: feature maps, ``[N, I, H, W]``.
        weight: shared kernel, ``[O, I, K, K]``.
        style: ``[N, I]``.
        demodulate: bring each kernel back to unit norm.
        fir: the filter; the size is doubled if it is given.
    """
    n, i, h, w = x.shape
    o, _, k, _ = weight.shape
    kernels = (1 / math.sqrt(i * k**2)) * weight[None] * style.view(n, 1, i, 1, 1)  # [N, O, I, K, K]
    if demodulate:
        kernels = kernels * torch.rsqrt(kernels.pow(2).sum([2, 3, 4]) + 1e-8).view(n, o, 1, 1, 1)
    one = x.reshape(1, n * i, h, w)
    if fir is None:
        y = F.conv2d(one, kernels.view(n * o, i, k, k), padding=k // 2, groups=n)
        return y.view(n, o, h, w)
    y = F.conv_transpose2d(one, kernels.transpose(1, 2).reshape(n * i, o, k, k), stride=2, groups=n)
    return filtered(y.view(n, o, *y.shape[2:]), 4 * fir, 1, (1, 1))


def doubled(image: Tensor, fir: Tensor) -> Tensor:
    """Twice the size, ``[N, 3, H, W]`` -> ``[N, 3, 2H, 2W]``."""
    return ours_upsample(image, fir) if image.is_cuda else filtered(image, 4 * fir, 2, (2, 1))


def filtered(x: Tensor, kernel: Tensor, up: int, pad: tuple[int, int], down: int = 1) -> Tensor:
    """Set in zeros, pad or cut, filter each channel as a picture of its own, keep every `down`-th pixel.

    All five are done whether there is anything to do or not, as there: a slice of everything costs nothing on the way to the
    image, and a copy on the way back. On a GPU the published code has a compiled kernel for the whole; there our depthwise
    convolution stands for it, which is the faster of the two forms here.
    """
    if x.is_cuda:
        return blur(x, kernel, padding=pad[0])
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n * c, h, 1, w, 1, 1), [0, 0, 0, up - 1, 0, 0, 0, up - 1]).view(n * c, h * up, w * up, 1)
    more, less = [max(p, 0) for p in pad], [max(-p, 0) for p in pad]
    x = F.pad(x, [0, 0, *more, *more])
    x = x[:, less[0] : x.shape[1] - less[1], less[0] : x.shape[2] - less[1], :]
    x = x.permute(0, 3, 1, 2).reshape(n * c, 1, x.shape[1], x.shape[2])
    x = F.conv2d(x, torch.flip(kernel, [0, 1])[None, None]).permute(0, 2, 3, 1)
    x = x[:, ::down, ::down, :]
    return x.view(n, c, *x.shape[1:3])
