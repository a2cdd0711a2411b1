"""Directions of W with a known meaning: how w moves on average when one factor of the person goes from its low end to its high end.

The generator's warm start tells which person each code stands for (`iplkit.train.people`), so no network has to guess. Least squares
of w on all factors' numbers at once keeps what belongs to the other factors out of a direction.
"""

import torch
from torch import Tensor, nn

from iplkit.world.factors import indices


@torch.no_grad()
def taught_directions(generator: nn.Module, names: list[str], samples: int = 8000, seed: int = 0) -> Tensor:
    """Move of w from the lowest to the highest value of each factor, ``[len(names), D]``."""
    from iplkit.train.people import uniform_of

    z = torch.randn(samples, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    u = uniform_of(z).double()  # [N, F] in [0, 1]
    x = torch.cat([u - u.mean(0), torch.ones(samples, 1, dtype=u.dtype)], dim=1)
    w = torch.cat([generator.mapping.w(part) for part in z.split(2000)]).double()
    return torch.linalg.lstsq(x, w).solution[indices(names)].float()
