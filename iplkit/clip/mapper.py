"""IPL's mapper: from a latent code to the prompt of its image, and its file.

Guo et al. 2023, "Zero-shot Generative Model Adaptation via Image-specific Prompt Learning".
Axis letters: N images, C channels, M learned vectors, D text width.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.weights import atomic_path, file_kind


class PixelNorm(nn.Module):
    """Scale each row to mean square 1, ``[N, C]`` -> ``[N, C]``."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class EqualLinear(nn.Module):
    """A linear layer whose learning rate is scaled inside: effective weight = weight * lr_mul / sqrt(in).

    Args:
        in_features, out_features: channels.
        lr_mul: 0.01 makes one Adam step a hundred times smaller than its learning rate says.
        activation: leaky ReLU of slope 0.2, times sqrt(2), after the bias.
        generator: draws the weight.
    """

    def __init__(
        self, in_features: int, out_features: int, lr_mul: float, activation: bool, generator: torch.Generator
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features, generator=generator) / lr_mul)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.gain = lr_mul / in_features**0.5
        self.lr_mul = lr_mul
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.gain, self.bias * self.lr_mul)
        return F.leaky_relu(x, 0.2) * 2**0.5 if self.activation else x


class PromptMapper(nn.Module):
    """IPL's mapper: one latent code in, the M prompt vectors of its image out (Guo et al. 2023, Sec. 3.2).

    The layout and the parameter names are the published ones, so that a published ``mapper.pt`` loads.

    Args:
        width: D, the width of CLIP's text tower.
        n_ctx: M, learned vectors per prompt.
        w_dim: channels of a latent code.
        lr_mul: see `EqualLinear`.
        last_activation: quirk of the published code: the last layer is rectified too, so prompts lean
            to the positive side (negative values are five times shorter). False leaves it linear.
        seed: of the initialization.
    """

    def __init__(
        self,
        width: int = 512,
        n_ctx: int = 4,
        w_dim: int = 512,
        lr_mul: float = 0.01,
        last_activation: bool = True,
        seed: int = 0,
    ):
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        hidden = [EqualLinear(w_dim, w_dim, lr_mul, True, draw) for _ in range(3)]
        last = EqualLinear(w_dim, width * n_ctx, lr_mul, last_activation, draw)
        self.mapping = nn.ModuleDict({"mapping": nn.Sequential(PixelNorm(), *hidden, last)})
        self.width, self.n_ctx, self.w_dim = width, n_ctx, w_dim
        self.last_activation = last_activation

    def forward(self, w: Tensor) -> Tensor:
        """Latent codes ``[N, w_dim]`` -> prompts ``[N, M, D]``; an image never sees its neighbors."""
        if w.ndim != 2 or w.shape[1] != self.w_dim:
            raise UserError(f"the mapper needs w of shape [N, {self.w_dim}]; got {tuple(w.shape)}")
        return self.mapping["mapping"](w).reshape(len(w), self.n_ctx, self.width)


def save_mapper(path: str | Path, mapper: PromptMapper, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Write a mapper in IPL's layout, ``{"m": weights}``, with ``"m_optim"`` if an optimizer is given."""
    record = {"m": mapper.state_dict(), "last_activation": mapper.last_activation}
    if optimizer is not None:
        record["m_optim"] = optimizer.state_dict()
    with atomic_path(path) as temporary:
        torch.save(record, temporary)


def load_mapper(path: str | Path, width: int, last_activation: bool | None = None) -> PromptMapper:
    """Read a mapper of ours or a published ``mapper.pt``; only tensors are read, never code.

    Args:
        path: the file.
        width: D of the text tower it speaks to; with it the file tells how many vectors there are.
        last_activation: None takes what the file says; a published file says nothing and means True.

    Raises:
        UserError: if the file is not a mapper, or its output is not a multiple of `width`.
    """
    if file_kind(path) not in ("zip", "pickle"):
        raise UserError(f"{path} needs to be a mapper file of torch; it is {file_kind(path)}")
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
        weights, last = record["m"], record["m"]["mapping.mapping.4.weight"]
    except Exception as error:
        raise UserError(f"{path} needs a mapper's weights under 'm'; there are none to be read safely") from error
    if last.ndim != 2 or last.shape[0] % width:
        raise UserError(f"{path} needs an output that is a multiple of the text width {width}; it has {tuple(last.shape)}")
    if last_activation is None:
        last_activation = bool(record.get("last_activation", True))
    mapper = PromptMapper(width, last.shape[0] // width, last.shape[1], last_activation=last_activation)
    try:
        mapper.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path} needs the four layers of a mapper; its {len(weights)} tensors do not fit") from error
    return mapper
