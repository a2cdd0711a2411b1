"""The thesis' Transformer mappers: as they were written, and mended.

As written they look at a whole batch as if it were one sentence: torch reads ``[N, 512]`` as a single
sequence of N tokens. The prompt of an image then depends on the other images of its batch. Trained on
32 images at a time and used on 2, it is another function. The mended layouts keep images apart.

Axis letters: N images, C channels of w, M learned vectors, D text width.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.clip.mapper import EqualLinear, PixelNorm, check_codes, check_made_for, fill, read_record
from iplkit.errors import UserError

LAYOUTS = {
    "batch": "as written: the images of a batch are one sequence and see each other",
    "alone": "mended, same weights: each image is a sequence of one token, so attention has nothing to choose from",
    "slots": "mended, other weights: each image is a sequence of M tokens, one for each vector of its prompt",
}


@dataclass(frozen=True)
class Design:
    """Sizes of one of the thesis' versions; dropout is 0.1 and the feed-forward width 1024 in all."""

    layers: int
    heads: int
    middle: tuple[int, ...]  # widths of the linear layers between the encoder and the last one


DESIGNS = {"v1": Design(3, 2, ()), "v2": Design(2, 4, (1024,)), "v3": Design(2, 2, (512,))}
"""The three that can be built: March 2024, its second form at the end of the repository, and the one that trained."""


class TransformerMapper(nn.Module):
    """A Transformer encoder and equalized linear layers: latent codes in, prompts out.

    The encoder has no `lr_mul`. At the mapper's learning rate of 0.05 its weights move about a
    hundred times faster than those of `PromptMapper`.

    Args:
        design: a name in `DESIGNS`.
        layout: a name in `LAYOUTS`.
        width: D, the width of CLIP's text tower.
        n_ctx: M, learned vectors per prompt.
        w_dim: C, channels of a latent code.
        dropout: share of activations set to 0 while training.
        last_activation: as in `PromptMapper`.
        pixel_norm: normalize w first, as the very first version did.
        seed: of the initialization; the global random state is left as it was.

    Raises:
        UserError: if the design or layout is unknown, or the heads do not divide `w_dim`.
    """

    def __init__(
        self,
        design: str = "v3",
        layout: str = "alone",
        width: int = 512,
        n_ctx: int = 4,
        w_dim: int = 512,
        dropout: float = 0.1,
        last_activation: bool = True,
        pixel_norm: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        for name, value, known in (("design", design, DESIGNS), ("layout", layout, LAYOUTS)):
            if value not in known:
                raise UserError(f"{name} must be one of {list(known)}; got {value!r}")
        sizes = DESIGNS[design]
        if w_dim % sizes.heads:
            raise UserError(f"w_dim needs to be a multiple of the {sizes.heads} heads; got {w_dim}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = nn.TransformerEncoderLayer(w_dim, sizes.heads, dim_feedforward=1024, dropout=dropout)
            encoder = nn.TransformerEncoder(layer, sizes.layers, enable_nested_tensor=False)
        draw = torch.Generator().manual_seed(seed)
        widths = (w_dim, *sizes.middle)
        heads = [EqualLinear(i, o, 0.01, True, draw) for i, o in zip(widths, sizes.middle)]
        per_token = width if layout == "slots" else width * n_ctx
        self.mapping = nn.Sequential(encoder, *heads, EqualLinear(widths[-1], per_token, 0.01, last_activation, draw))
        self.normalize = PixelNorm() if pixel_norm else nn.Identity()
        self.slots = nn.Parameter(torch.randn(n_ctx, 1, w_dim, generator=draw)) if layout == "slots" else None
        self.design, self.layout = design, layout
        self.width, self.n_ctx, self.w_dim, self.last_activation = width, n_ctx, w_dim, last_activation
        self.made_for: dict[str, str] = {}

    def forward(self, w: Tensor) -> Tensor:
        """Latent codes ``[N, C]`` -> prompts ``[N, M, D]``; in the layout "batch" an image sees its neighbors."""
        check_codes(w, self.w_dim)
        x = self.normalize(w)
        if self.layout == "batch":
            return self.mapping(x).reshape(len(w), self.n_ctx, self.width)
        if self.layout == "alone":
            return self.mapping(x[None])[0].reshape(len(w), self.n_ctx, self.width)  # [1, N, C]: tokens, images, channels
        return self.mapping(x[None] + self.slots).transpose(0, 1)  # [M, N, D] -> [N, M, D]


def load_transformer_mapper(
    path: str | Path,
    width: int,
    design: str = "v3",
    layout: str = "batch",
    n_ctx: int = 4,
    w_dim: int = 512,
    made_for: dict[str, str] | None = None,
) -> TransformerMapper:
    """Read a Transformer mapper of ours or of the thesis, whose files hold each tensor under two names.

    The layouts "batch" and "alone" read the same file. The number of heads is not in it: the design tells.

    Raises:
        UserError: if the file is not a mapper of this design, or is one for another width, context or generator.
    """
    record = read_record(path)
    weights = own_names(record["m"])
    last_activation = bool(record.get("last_activation", True))
    mapper = TransformerMapper(design, layout, width, n_ctx, w_dim, last_activation=last_activation)
    last = f"mapping.{len(mapper.mapping) - 1}.weight"
    needed, found = tuple(mapper.mapping[-1].weight.shape), tuple(weights[last].shape) if last in weights else None
    if found != needed:
        raise UserError(f"{path} needs a last layer of shape {needed} for {n_ctx} vectors of width {width}; it has {found}")
    check_made_for(path, record, made_for)
    mapper.made_for = dict(record.get("made_for", {}))
    fill(mapper, weights, path)
    return mapper.eval()


def own_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The thesis' names as ours: each tensor once, without the outer module's name."""
    short = {name.replace("mapping.mapping.", "mapping.", 1): tensor for name, tensor in weights.items()}
    return {name: tensor for name, tensor in short.items() if re.match(r"slots$|mapping\.\d", name)}
