"""The native operations with their derivatives, of any order.

Each derivative is one of the same operations, or plain torch: the gradient of a resampling is a resampling with up and down
exchanged and the filter turned round; the gradient behind a leaky ReLU is linear in what comes, so its own gradient is itself.
"""

import torch
from torch import Tensor


def make(module):
    """`finish` and `resample` of a built module, with gradients. Returns a name space with both."""

    class Gate(torch.autograd.Function):
        @staticmethod
        def forward(ctx, gradient, result, slope):
            ctx.save_for_backward(result)
            ctx.slope = slope
            return module.gate(gradient, result, slope)

        @staticmethod
        def backward(ctx, gradient):
            (result,) = ctx.saved_tensors
            return Gate.apply(gradient, result, ctx.slope), None, None

    class Finish(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y, factor, shift, noise, slope):
            result = module.finish(y, factor.contiguous(), shift.contiguous(), noise.contiguous(), slope)
            ctx.save_for_backward(y, factor, result.detach())
            ctx.slope, ctx.has_noise = slope, noise.numel() > 0
            return result

        @staticmethod
        def backward(ctx, gradient):
            y, factor, result = ctx.saved_tensors
            wants = ctx.needs_input_grad
            inner = Gate.apply(gradient, result, ctx.slope)
            to_y = inner * factor[:, :, None, None] if wants[0] else None
            to_factor = (inner * y).sum(dim=(2, 3)) if wants[1] else None
            to_shift = inner.sum(dim=(0, 2, 3)) if wants[2] else None
            to_noise = inner.sum(dim=1, keepdim=True) if wants[3] and ctx.has_noise else None
            return to_y, to_factor, to_shift, to_noise, None

    class Resample(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, kernel, up, down, pad):
            ctx.save_for_backward(kernel)
            ctx.sizes = up, down, pad, x.shape
            return module.resample(x, kernel.contiguous(), up, down, *pad)

        @staticmethod
        def backward(ctx, gradient):
            (kernel,) = ctx.saved_tensors
            up, down, (x0, _, y0, _), shape = ctx.sizes
            (kh, kw), (h, w), (oh, ow) = kernel.shape, shape[2:], gradient.shape[2:]
            first, left = kh - 1 - y0, kw - 1 - x0
            below, right = h * up - oh * down + y0 - up + 1, w * up - ow * down + x0 - up + 1
            return Resample.apply(gradient, kernel.flip(0, 1), down, up, (left, right, first, below)), None, None, None, None

    class Operations:
        """`finish` as in `iplkit.stylegan2.finish`; `resample` is upfirdn2d: zeros in, pad, filter, keep every few."""

        @staticmethod
        def finish(y: Tensor, factor: Tensor, shift: Tensor, noise: Tensor | None, slope: float) -> Tensor:
            grain = y.new_empty(0) if noise is None else noise.expand(len(y), 1, *y.shape[2:])
            return Finish.apply(y, factor, shift, grain, slope)

        @staticmethod
        def resample(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Tensor:
            """``[N, C, H, W]`` -> ``[N, C, H', W']``; `kernel` ``[K, K]`` is fixed, `pad` is left, right, top, bottom."""
            return Resample.apply(x, kernel.to(x.dtype), up, down, pad)

    return Operations


def self_test(operations, device: str = "cpu") -> str:
    """What differs from torch by more than 1e-5, or an empty text."""
    import torch.nn.functional as F

    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng).to(device)  # noqa: E731
    for layout in (torch.contiguous_format, torch.channels_last):
        y, factor, shift, noise = draw(2, 5, 6, 7), draw(2, 5), draw(5), draw(2, 1, 6, 7)
        inputs = [t.requires_grad_(True) for t in (y.contiguous(memory_format=layout), factor, shift, noise)]
        mine = operations.finish(*inputs, 0.2)
        pure = F.leaky_relu(inputs[0] * factor[:, :, None, None] + shift[:, None, None] + noise, 0.2)
        pairs = [(mine, pure), *zip(*(torch.autograd.grad(out.square().sum(), inputs) for out in (mine, pure)))]
        kernel, x = draw(4, 4), draw(2, 5, 6, 7).contiguous(memory_format=layout).requires_grad_(True)
        mine = operations.resample(x, kernel, 2, 1, (2, 1, 2, 1))
        spaced = F.conv_transpose2d(x, kernel.flip(0, 1).expand(5, 1, 4, 4), stride=2, padding=1, groups=5)
        pairs += [(mine, spaced), *zip(*(torch.autograd.grad(out.square().sum(), x) for out in (mine, spaced)))]
        for ours, theirs in pairs:
            apart = float((ours - theirs).detach().abs().max() / theirs.detach().abs().max().clamp(min=1e-3))
            if not apart <= 1e-5:
                return f"{apart:.1e} from torch's result"
    return ""
