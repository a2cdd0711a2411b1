"""What follows a convolution, in as few passes over memory as it takes.

Each function asks a native operation if they were switched on (`iplkit.native`), and torch otherwise. Both give the same numbers
up to rounding.

Axis letters: N images, C channels, H W space, K filter side.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.stylegan2 import fir

native = None  # `iplkit.native.enable` puts its operations here


def blur(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """`iplkit.stylegan2.fir.blur` without a stride."""
    if native is not None and native.takes(x) and native.filters(kernel):
        return native.blur(x, kernel.to(x.dtype), padding)
    return fir.blur(x, kernel, padding)


def finish(y: Tensor, factor: Tensor, shift: Tensor, noise: Tensor | None, slope: float) -> Tensor:
    """``leaky_relu(y * factor + shift + noise)``, ``[N, C, H, W]``.

    Args:
        y: result of a convolution, ``[N, C, H, W]``.
        factor: for each image and channel, ``[N, C]``.
        shift: for each channel, ``[C]``.
        noise: ``[N, 1, H, W]``, ``[H, W]``, or None.
        slope: of the leaky ReLU, above 0.
    """
    factor, shift = factor.to(y.dtype), shift.to(y.dtype)
    noise = None if noise is None else noise.to(y.dtype)
    if native is not None and native.takes(y):
        return native.finish(y, factor, shift, noise, slope)
    y = torch.addcmul(shift[None, :, None, None], y, factor[:, :, None, None])
    y = y if noise is None else y.add_(noise)
    return F.leaky_relu(y, slope, inplace=True)
