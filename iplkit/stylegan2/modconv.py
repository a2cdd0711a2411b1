"""Modulated convolution: how StyleGAN2 lets one style vector repaint every feature map.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", Sec. 2.2. The paper gives every image
its own kernel. Scaling the channels before and after one shared convolution is the same map, and much faster.

Axis letters: N images, I and O input and output channels, K kernel side, H W space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.stylegan2 import passes
from iplkit.stylegan2.fir import blur


def demodulation(weight: Tensor, style: Tensor, eps: float = 1e-8) -> Tensor:
    """The factor that brings each image's kernel back to unit norm, per output channel, ``[N, O]``.

    With it the style decides the *mix* of channels and never the overall contrast. In the weight's
    own precision even under autocast, because the sum of squares is where half precision breaks first.

    Args:
        weight: shared kernel, ``[O, I, K, K]``.
        style: scale of each input channel, ``[N, I]``.
        eps: keeps a dead kernel finite.
    """
    with torch.autocast(weight.device.type, enabled=False):
        energy = weight.square().sum(dim=(2, 3))  # [O, I]
        return torch.rsqrt(style.to(weight.dtype).square() @ energy.T + eps)  # Eq. (3), [N, O]


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    *,
    demodulate: bool = True,
    gain: float = 1.0,
    up_kernel: Tensor | None = None,
    wide: bool = False,
) -> Tensor:
    """Convolve each image with its own modulated kernel; "same" padding.

    Args:
        x: feature maps, ``[N, I, H, W]``.
        weight: shared kernel, ``[O, I, K, K]`` with K odd; K = 3 if `up_kernel` is given.
        style: per-image scale of the input channels, ``[N, I]``.
        demodulate: apply Eq. (3). ToRGB is the one layer that does not.
        gain: multiplies the result.
        up_kernel: low-pass filter ``[4, 4]`` with sum 1; if given, the size doubles.
        wide: of a large generator: a native operation may do the filter, if they were switched on.

    Returns:
        Feature maps, ``[N, O, H, W]``, or ``[N, O, 2H, 2W]`` with `up_kernel`.

    Raises:
        UserError: if the three shapes do not agree.
    """
    n, channels = x.shape[:2]
    if weight.shape[1] != channels or style.shape != (n, channels):
        raise UserError(
            f"x {tuple(x.shape)} needs weight [O, {channels}, K, K] and style [{n}, {channels}]; "
            f"got weight {tuple(weight.shape)} and style {tuple(style.shape)}"
        )
    x = x * style.to(x.dtype)[:, :, None, None]  # Eq. (1), moved from the kernel to the input
    if up_kernel is None:
        y = F.conv2d(x, weight, padding=weight.shape[2] // 2)
    else:
        y = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2H + 1, 2W + 1]
        y = (passes.blur if wide else blur)(y, 4 * up_kernel, padding=1)
    if demodulate:
        return y * (gain * demodulation(weight, style)).to(y.dtype)[:, :, None, None]
    return y if gain == 1 else y * gain
