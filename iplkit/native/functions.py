"""The native operations with their derivatives, of any order.

A first derivative is native too: one pass where torch needs about five. A derivative of a derivative is put together from torch's
own operations, except the filter's, which is the same filter turned round.
"""

import torch
from torch import Tensor


def make(module):
    """The operations of a built module, with gradients: `Operations`."""

    class Finish(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y, factor, shift, noise, slope):
            result = module.finish(y, factor.contiguous(), shift.contiguous(), noise.contiguous(), slope)
            ctx.save_for_backward(y if ctx.needs_input_grad[1] else None, factor, result)
            ctx.slope = slope
            return result

        @staticmethod
        def backward(ctx, gradient):
            y, factor, result = ctx.saved_tensors
            wants = ctx.needs_input_grad
            if torch.is_grad_enabled():
                inner = torch.where(result.detach() > 0, gradient, gradient * ctx.slope)
                to_y = inner * factor[:, :, None, None] if wants[0] else None
                to_factor = (inner * y).sum(dim=(2, 3)) if wants[1] else None
                to_shift = inner.sum(dim=(0, 2, 3)) if wants[2] else None
                return to_y, to_factor, to_shift, inner.sum(dim=1, keepdim=True) if wants[3] else None, None
            given = gradient if y is None else y  # sums that nobody asks for may be of anything
            to_y, to_factor, to_shift, to_noise = module.finish_backward(gradient, given, result, factor.contiguous(), ctx.slope, wants[3])
            found = to_y, to_factor, to_shift.sum(0), to_noise
            return *(t if wanted else None for t, wanted in zip(found, wants)), None

    class Blur(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, kernel, padding):
            ctx.save_for_backward(kernel)
            ctx.padding = padding
            return module.blur(x, kernel.contiguous(), padding)

        @staticmethod
        def backward(ctx, gradient):
            (kernel,) = ctx.saved_tensors
            return Blur.apply(gradient, kernel.flip(0, 1), len(kernel) - 1 - ctx.padding), None, None

    class Operations:
        """What `iplkit.stylegan2.passes` asks for: `blur` and `finish`, and what they can be asked."""

        @staticmethod
        def takes(x: Tensor) -> bool:
            """Whether `x` is a map of real numbers in float32 or float64; not of fake ones, not in half precision, not while torch compiles."""
            return not torch.compiler.is_compiling() and type(x) is Tensor and x.dtype in (torch.float32, torch.float64)

        @staticmethod
        def filters(kernel: Tensor) -> bool:
            """Whether a filter ``[K, K]`` is a column times a row; on a GPU any will do."""
            if kernel.is_cuda:
                return True
            product, whole = kernel.sum(1)[:, None] * kernel.sum(0), kernel * kernel.sum()
            return kernel.shape[0] == kernel.shape[1] and bool((product - whole).abs().max() <= 1e-6 * whole.abs().max()) and bool(kernel.sum())

        @staticmethod
        def blur(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
            return Blur.apply(x, kernel, padding)

        @staticmethod
        def finish(y: Tensor, factor: Tensor, shift: Tensor, noise: Tensor | None, slope: float) -> Tensor:
            grain = y.new_empty(0) if noise is None else noise.expand(len(y), 1, *y.shape[2:])
            return Finish.apply(y, factor, shift, grain, slope)

    return Operations


def self_test(operations, device: str = "cpu") -> str:
    """What differs from torch by more than 1e-5, or an empty text."""
    import torch.nn.functional as F

    from iplkit.stylegan2.fir import fir_kernel

    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng).to(device)  # noqa: E731
    for layout in (torch.contiguous_format, torch.channels_last):
        y, factor, shift, noise = draw(2, 5, 16, 17), draw(2, 5), draw(5), draw(2, 1, 16, 17)
        inputs = [t.requires_grad_(True) for t in (y.contiguous(memory_format=layout), factor, shift, noise)]
        y, factor, shift, noise = inputs
        kernel = 4 * fir_kernel().to(device)
        pure = F.leaky_relu(y * factor[:, :, None, None] + shift[:, None, None] + noise, 0.2)
        both = [(operations.finish(*inputs, 0.2), pure, inputs)]
        both.append((operations.blur(y, kernel, 1), F.conv2d(y, kernel.expand(5, 1, 4, 4), padding=1, groups=5), inputs[:1]))
        pairs = []
        for mine, pure, of in both:
            pairs += [(mine, pure), *zip(*(torch.autograd.grad(out.square().sum(), of) for out in (mine, pure)))]
        for ours, theirs in pairs:
            apart = float((ours - theirs).detach().abs().max() / theirs.detach().abs().max().clamp(min=1e-3))
            if not apart <= 1e-5:
                return f"{apart:.1e} from torch's result"
    return ""
