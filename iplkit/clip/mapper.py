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
        self.made_for: dict[str, str] = {}  # what it was trained with; see `save_mapper`

    def forward(self, w: Tensor) -> Tensor:
        """Latent codes ``[N, w_dim]`` -> prompts ``[N, M, D]``; an image never sees its neighbors."""
        check_codes(w, self.w_dim)
        return self.mapping["mapping"](w).reshape(len(w), self.n_ctx, self.width)


def check_codes(w: Tensor, w_dim: int) -> None:
    """Refuse latent codes that are not ``[N, w_dim]``."""
    if w.ndim != 2 or w.shape[1] != w_dim:
        raise UserError(f"the mapper needs w of shape [N, {w_dim}]; got {tuple(w.shape)}")


def save_mapper(path: str | Path, mapper: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Write a mapper in IPL's layout, ``{"m": weights}``, with ``"m_optim"`` if an optimizer is given.

    Beside the weights stand `last_activation` and `made_for`, for example the fingerprint of the
    generator that it was trained with, so that `load_mapper` can refuse another one.
    """
    record = {"m": mapper.state_dict(), "last_activation": mapper.last_activation, "made_for": dict(mapper.made_for)}
    if optimizer is not None:
        record["m_optim"] = optimizer.state_dict()
    with atomic_path(path) as temporary, open(temporary, "wb") as file:  # torch would write a path's name into the bytes
        torch.save(record, file)


def load_mapper(
    path: str | Path,
    width: int,
    last_activation: bool | None = None,
    n_ctx: int | None = None,
    w_dim: int | None = None,
    made_for: dict[str, str] | None = None,
) -> PromptMapper:
    """Read a mapper of ours or a published ``mapper.pt``; only tensors are read, never code.

    Args:
        path: the file.
        width: D of the text tower it speaks to; with it the file tells how many vectors there are.
        last_activation: None takes what the file says; a published file says nothing and means True.
        n_ctx: M that the context needs; None takes the file's.
        w_dim: channels of the generator's latent codes; None takes the file's.
        made_for: what the mapper shall have been trained with (see `iplkit.adapt.stage1.made_for`). Only
            what both name is compared; a published file names nothing.

    Raises:
        UserError: if the file is not a mapper, or is one for another width, context or generator.
    """
    record = read_record(path)
    last = record["m"].get("mapping.mapping.4.weight")
    if last is None or last.ndim != 2:
        raise UserError(f"{path} needs the four layers of a mapper; its last layer is missing")
    if last.shape[0] % width:
        raise UserError(f"{path} needs an output that is a multiple of the text width {width}; it has {tuple(last.shape)}")
    vectors, codes = last.shape[0] // width, last.shape[1]
    if n_ctx is not None and vectors != n_ctx:
        raise UserError(f"{path} needs a mapper that writes {n_ctx} vectors, as the context has; it writes {vectors}")
    if w_dim is not None and codes != w_dim:
        raise UserError(f"{path} needs a mapper of latent codes with {w_dim} channels; its codes have {codes}")
    check_made_for(path, record, made_for)
    if last_activation is None:
        last_activation = bool(record.get("last_activation", True))
    mapper = PromptMapper(width, vectors, codes, last_activation=last_activation)
    mapper.made_for = dict(record.get("made_for", {}))
    fill(mapper, record["m"], path)
    return mapper


def read_record(path: str | Path) -> dict:
    """The content of a mapper's file, weights under "m"; refuses what is not plain tensors and texts."""
    if file_kind(path) not in ("zip", "pickle"):
        raise UserError(f"{path} needs to be a mapper file of torch; it is {file_kind(path)}")
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
        weights = dict(record["m"])
    except Exception as error:
        raise UserError(f"{path} needs a mapper's weights under 'm'; there are none to be read safely") from error
    if not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise UserError(f"{path} needs tensors under 'm'; some entries are none")
    return record


def check_made_for(path: str | Path, record: dict, wanted: dict[str, str] | None) -> None:
    """Refuse a mapper that was trained with another model or context than the wanted ones."""
    found = record.get("made_for", {})
    for name, value in (wanted or {}).items():
        if name in found and found[name] != value:
            raise UserError(f"{path} needs a mapper trained with the {name} {value[:16]!r}; it was trained with {found[name][:16]!r}")


def fill(mapper: nn.Module, weights: dict[str, Tensor], path: str | Path) -> None:
    """Load weights into a mapper, or say in one sentence that they do not fit."""
    try:
        mapper.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path} needs the layers of a {type(mapper).__name__}; its {len(weights)} tensors do not fit") from error
