"""Gradients of images with respect to what they were made from, and not of weights: the same numbers from less memory.

A convolution whose weights are frozen still keeps its input for their gradient, which nobody asks for. A leaky ReLU keeps its
input, though its output has the same signs and is kept by the next layer anyway.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten


class InputsOnly(TorchFunctionMode):
    """Inside the block, convolutions with frozen weights and leaky ReLUs keep no more than the gradient of their input needs.

    Values and gradients are the same to the last bit. Whatever asks for more, such as a weight that is trained, runs as usual.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.leaky_relu:
            return _leaky_relu(*args, **kwargs)
        if func is torch.conv2d:
            return _convolution(func, *_conv2d(*args, **kwargs))
        if func is torch.conv_transpose2d:
            return _convolution(func, *_conv_transpose2d(*args, **kwargs))
        return func(*args, **kwargs)


def _conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The arguments of `torch.conv2d` by place; names as there."""
    return input, weight, bias, stride, padding, 0, groups, dilation


def _conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return input, weight, bias, stride, padding, output_padding, groups, dilation


def _leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    if inplace or negative_slope <= 0 or not x.requires_grad:
        return F.leaky_relu(x, negative_slope, inplace)
    return _LeakyReLU.apply(x, negative_slope)


def _convolution(func, x: Tensor, weight: Tensor, bias: Tensor | None, stride, padding, output_padding, groups, dilation) -> Tensor:
    is_transposed = func is torch.conv_transpose2d
    trained = weight.requires_grad or (bias is not None and bias.requires_grad)
    if trained or not x.requires_grad or x.ndim != 4 or isinstance(padding, str) or torch.is_autocast_enabled(x.device.type):
        outer = {"output_padding": output_padding} if is_transposed else {}
        return func(x, weight, bias, stride=stride, padding=padding, groups=groups, dilation=dilation, **outer)
    sizes = (_two(stride), _two(padding), _two(dilation), is_transposed, _two(output_padding), groups)
    return _Convolution.apply(x, weight, bias, sizes)


def _two(size: int | Sequence[int]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        y = aten.leaky_relu(x, slope)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return aten.leaky_relu_backward(gradient, y, ctx.slope, True), None


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, sizes):
        ctx.save_for_backward(weight)
        ctx.shape, ctx.sizes = x.shape, sizes
        return aten.convolution(x, weight, bias, *sizes)

    @staticmethod
    def backward(ctx, gradient):
        (weight,) = ctx.saved_tensors
        x = gradient.new_empty(ctx.shape)  # only its shape is read
        return aten.convolution_backward(gradient, x, weight, None, *ctx.sizes, (True, False, False))[0], None, None, None
