"""Generators of known strength: on the straight way from the source to an adapted one, beyond it, and collapsed."""

import copy

import torch
from torch import Tensor, nn

from iplkit.errors import UserError


@torch.no_grad()
def at_strength(source: nn.Module, adapted: nn.Module, strength: float) -> nn.Module:
    """A generator whose weights lie on the line through source (0) and adapted (1); above 1 it overshoots.

    Args:
        source, adapted: generators of the same sizes; both stay as they are.
        strength: at least 0.

    Raises:
        UserError: a negative strength, or generators with different tensors.
    """
    before, after = source.state_dict(), adapted.state_dict()
    if strength < 0:
        raise UserError(f"strength must be at least 0; got {strength}")
    if {k: v.shape for k, v in before.items()} != {k: v.shape for k, v in after.items()}:
        raise UserError("a generator between two needs two of the same sizes; these have different tensors")
    between = copy.deepcopy(source)
    between.load_state_dict({name: before[name] + strength * (after[name] - before[name]) for name in before})
    return between.eval().requires_grad_(False)


class _Pulled(nn.Module):
    """A mapping whose w all lie near their middle."""

    def __init__(self, mapping: nn.Module, share: float):
        super().__init__()
        self.mapping, self.share = mapping, share
        self.z_dim, self.num_ws = mapping.z_dim, mapping.num_ws

    @property
    def w_avg(self) -> Tensor:
        return self.mapping.w_avg

    def w(self, z: Tensor) -> Tensor:
        return self.w_avg + self.share * (self.mapping.w(z) - self.w_avg)

    def forward(self, z: Tensor) -> Tensor:
        return self.w(z)[:, None].repeat(1, self.num_ws, 1)


def collapsed(generator: nn.Module, share: float = 0.15) -> nn.Module:
    """A generator that collapsed on purpose: every person is pulled towards the average one.

    Args:
        generator: stays as it is.
        share: what is left of the way from the middle of W to a person; 1 changes nothing, 0 leaves one person.

    Raises:
        UserError: a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise UserError(f"share must lie in [0, 1]; got {share}")
    out = copy.deepcopy(generator)
    out.mapping = _Pulled(out.mapping, share)
    return out.eval().requires_grad_(False)


@torch.no_grad()
def draw(generator: nn.Module, z: Tensor, batch: int = 50) -> Tensor:
    """Pictures of latents with each layer's stored noise, so that equal latents meet equal noise in every generator.

    Returns:
        ``[N, 3, S, S]`` in about [-1, 1].
    """
    return torch.cat([generator.synthesis(generator.mapping(part), noise_mode="const") for part in z.split(batch)])
