"""Resampling with a low-pass filter, so that no pixel grid prints itself on the image.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", Sec. 2.1 and Appendix B; the filter
[1, 3, 3, 1] is StyleGAN2's. Outside of the image there are zeros.

Axis letters: N images, C channels, H W space, K filter side.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = (1.0, 3.0, 3.0, 1.0)


def fir_kernel(taps: tuple[float, ...] = TAPS) -> Tensor:
    """Square filter from its taps along one axis, ``[K, K]``; its sum is 1, so flat areas keep their value."""
    line = torch.tensor(taps)
    kernel = line[:, None] * line[None, :]
    return kernel / kernel.sum()


def blur(x: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    """Filter every channel by itself, ``[N, C, H, W]`` -> ``[N, C, H', W']`` with H' = (H + 2 padding - K) // stride + 1.

    Args:
        x: feature maps or images, ``[N, C, H, W]``.
        kernel: symmetric filter, ``[K, K]``.
        padding: zeros on each side, pixels.
        stride: keep every stride-th pixel.
    """
    channels = x.shape[1]
    return F.conv2d(x, _per_channel(kernel, x), padding=padding, stride=stride, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double the size: zeros between the pixels, then the filter with gain 4, ``[N, C, H, W]`` -> ``[N, C, 2H, 2W]``."""
    padding = (kernel.shape[0] - 1) // 2
    return F.conv_transpose2d(x, _per_channel(4 * kernel, x), stride=2, padding=padding, groups=x.shape[1])


def downsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Halve the size: the filter, then every second pixel, ``[N, C, H, W]`` -> ``[N, C, H/2, W/2]``."""
    return blur(x, kernel, padding=(kernel.shape[0] - 1) // 2, stride=2)


def _per_channel(kernel: Tensor, x: Tensor) -> Tensor:
    return kernel.to(x.dtype).expand(x.shape[1], 1, *kernel.shape)  # [C, 1, K, K]
