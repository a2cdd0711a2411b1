"""Some passes of the world's encoder: look, draw, look again at what is still wrong.

Alaluf et al. 2021, "ReStyle: A Residual-Based StyleGAN Encoder via Iterative Refinement", Sec. 3. The code is kept as one w
and offsets of the rows (e4e), so that one number leads from W to W+.

Axis letters: N images, R rows, D width of w, P passes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iplkit.errors import UserError

PASSES = 5


@dataclass(frozen=True)
class Code:
    """One w for all rows, and each row's offset from it."""

    base: Tensor  # [N, D]
    offsets: Tensor  # [N, R, D]; row 0 is 0

    @classmethod
    def middle(cls, mapping: nn.Module, n: int) -> "Code":
        """The middle of W, n times."""
        base = mapping.w_avg.expand(n, -1)
        return cls(base, base.new_zeros(n, mapping.num_ws, base.shape[1]))

    def ws(self, reach: float | Tensor = 1.0) -> Tensor:
        """The rows at some way from W (0) to W+ (1), a number or ``[N]`` -> ``[N, R, D]``."""
        reach = torch.as_tensor(reach, dtype=self.base.dtype, device=self.base.device).reshape(-1, 1, 1)
        return self.base[:, None] + reach * self.offsets

    def plus(self, step: tuple[Tensor, Tensor]) -> "Code":
        """After one answer of the encoder."""
        return Code(self.base + step[0], self.offsets + step[1])

    def detach(self) -> "Code":
        """The same numbers without history."""
        return Code(self.base.detach(), self.offsets.detach())


@torch.no_grad()
def encode(images: Tensor, encoder: nn.Module, generator: nn.Module, passes: int = PASSES, reach: float = 1.0, batch: int = 32) -> Tensor:
    """The codes after each pass.

    Args:
        images: ``[N, 3, S, S]`` in [-1, 1].
        encoder: an `Encoder`; frozen.
        generator: the one it was trained for.
        passes: at least 1; five are enough.
        reach: 0 stays in W, 1 goes to W+; between them fidelity is exchanged for editability.
        batch: pictures at a time; changes nothing but memory.

    Returns:
        ``[P, N, R, D]``.

    Raises:
        UserError: fewer passes, or an encoder for another generator.
    """
    if passes < 1:
        raise UserError(f"an encoder needs at least one pass; got {passes}")
    sizes = encoder.config.num_ws, encoder.config.w_dim
    if sizes != (generator.num_ws, generator.config.w_dim):
        wanted = f"{generator.num_ws} rows of {generator.config.w_dim}"
        raise UserError(f"this generator needs codes of {wanted}; the encoder gives {sizes[0]} rows of {sizes[1]}")
    return torch.cat([_passes(part, encoder, generator, passes, reach) for part in images.split(batch)], dim=1)


def _passes(images: Tensor, encoder: nn.Module, generator: nn.Module, passes: int, reach: float) -> Tensor:
    code, found = Code.middle(generator.mapping, len(images)), []
    for _ in range(passes):
        code = code.plus(encoder(images, generator.synthesis(code.ws(reach), noise_mode="none")))
        found.append(code.ws(reach))
    return torch.stack(found)
