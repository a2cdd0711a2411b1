"""What follows a convolution in a large generator, in as few passes over memory as it takes.

`finish` asks a native operation if one was switched on (`iplkit.native`), and torch otherwise. Both give the same numbers up to
rounding.

Axis letters: N images, C channels, H W space.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

native: Callable | None = None  # set by `iplkit.native.enable`


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
    if native is not None:
        return native(y, factor, shift, noise, slope)
    y = torch.addcmul(shift[None, :, None, None], y, factor[:, :, None, None])
    y = y if noise is None else y.add_(noise)
    return F.leaky_relu(y, slope, inplace=True)
