"""Matrix products of large transformers on a CPU, by oneDNN instead of MKL: the same layers, twice as fast on some machines.

torch gives matrix products to MKL, and convolutions to oneDNN. MKL looks at who made the processor, and on others than Intel's does
not use their widest registers (AVX-512); oneDNN looks at what the processor can do. So on such processors linear layers go to oneDNN,
too. torch has that way for its own compiler and calls it by no public name; it is taken only if it is there and agrees with the
usual way. The results are the same up to rounding.

Only large models that a reader brings are changed (`hasten`), CLIP and DINOv2. The world's CLIP keeps its numbers to the last bit.

Axis letters: N images, M rows of a matrix, L rows of one image, D width, I and O input and output channels, P patch side.
"""

import platform
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

FEWEST = 2  # rows; for one, MKL is as fast
PRODUCT = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None

if PRODUCT is not None:

    @register_flop_formula(PRODUCT)
    def _operations(x_shape, weight_shape, *args, **kwargs) -> int:
        return 2 * x_shape.numel() * weight_shape[0]


def hasten(model: nn.Module) -> nn.Module:
    """Let a model's linear layers, attention and patches go through `linear`, if that pays on this machine; returns the model.

    Names and weights stay. What is on a GPU or under autocast still runs as torch has it.
    """
    if pays():
        for module in model.modules():
            module.__class__ = FASTER.get(type(module), type(module))
    return model


@cache
def pays() -> bool:
    """Whether this processor has wide registers that MKL leaves alone, and oneDNN's products can be had and are right."""
    if PRODUCT is None or not torch.backends.mkl.is_available() or maker() in ("", "GenuineIntel"):
        return False
    if "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return False
    x, weight = (torch.randn(64, 64, generator=torch.Generator().manual_seed(seed), device="cpu") for seed in (0, 1))
    try:
        pairs = [(_product(x, w, b), F.linear(x, w, b)) for w in (weight, weight.t()) for b in (None, x[0])]
    except RuntimeError:
        return False
    return all(bool((a - b).abs().max() <= 1e-5 * b.abs().max()) for a, b in pairs)


def maker(info: Path = Path("/proc/cpuinfo")) -> str:
    """Who made the processor, in its own word such as "AuthenticAMD"; empty if the system does not say."""
    if info.is_file():
        words = [line.partition(":")[2].strip() for line in info.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("vendor_id")]
        return words[0] if words else ""
    return platform.processor().partition(",")[2].strip()  # Windows: "AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD"


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, ``[..., I]`` -> ``[..., O]``, with derivatives of any order.

    Args:
        x: any shape that ends in I.
        weight: ``[O, I]``.
        bias: ``[O]``.
    """
    if type(x) is not Tensor or x.numel() < FEWEST * x.shape[-1] or x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return F.linear(x, weight, bias)  # fake tensors, too
    return _Product.apply(x.reshape(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], len(weight))


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return PRODUCT(x.contiguous(), weight, bias, "none", [], "")


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        return (
            _Product.apply(gradient, weight.t(), None) if to_x else None,
            gradient.t() @ x if to_weight else None,
            gradient.sum(dim=0) if to_bias else None,
        )


class Linear(nn.Linear):
    """`torch.nn.Linear` through `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class OutputLinear(nn.modules.linear.NonDynamicallyQuantizableLinear):
    """The last layer of torch's attention, through `linear`."""

    forward = Linear.forward


class Attention(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` of rows with themselves, as CLIP's towers use it; everything else as torch has it."""

    linear = staticmethod(linear)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, *args, need_weights: bool = True, attn_mask: Tensor | None = None, **more):
        usual = query is key and key is value and not (args or more or need_weights or self.training)
        usual = usual and (attn_mask is None or (attn_mask.ndim == 2 and attn_mask.is_floating_point()))  # a mask of booleans means the opposite below
        if not (usual and self.batch_first and query.ndim == 3 and self.in_proj_weight is not None and self.bias_k is None and not self.add_zero_attn):
            return super().forward(query, key, value, *args, need_weights=need_weights, attn_mask=attn_mask, **more)
        parts = linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts)  # [N, heads, L, C]
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask).transpose(1, 2).flatten(2)  # [N, L, D]
        return self.out_proj(seen), None


class Patches(nn.Conv2d):
    """A convolution that cuts its picture into squares, ``[N, I, H, W]`` -> ``[N, O, H / P, W / P]``: a linear layer of each."""

    def forward(self, x: Tensor) -> Tensor:
        side, (height, width) = self.kernel_size[0], x.shape[2:]
        cuts = self.kernel_size == self.stride == (side, side) and self.padding == (0, 0) and self.dilation == (1, 1) and self.groups == 1
        if not cuts or side == 1 or height % side or width % side:
            return super().forward(x)
        squares = x.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(0, 2, 4, 1, 3, 5)  # [N, H / P, W / P, I, P, P]
        return linear(squares.flatten(3), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


FASTER = {nn.Linear: Linear, nn.modules.linear.NonDynamicallyQuantizableLinear: OutputLinear, nn.MultiheadAttention: Attention, nn.Conv2d: Patches}
