"""W in its own units: few directions, ordered by how much people differ along them, each with mean 0 and spread 1.

A squared error in W is ruled by whatever varies most there. In these coordinates one step is one standard deviation in
every direction, so the length of a code says how unusual it is (its Mahalanobis distance; about sqrt(K) for a sample).

Axis letters: N codes, D width of w, K directions that are kept, E width of CLIP's features.
"""

import torch
from torch import Tensor, nn

from iplkit.errors import UserError


class Whitening(nn.Module):
    """Principal directions of W and their spreads, as buffers.

    Args:
        w_dim: D.
        kept: K; what lies in the others is dropped on the way in, and is the mean's on the way back.

    Raises:
        UserError: if more directions are to be kept than there are.
    """

    def __init__(self, w_dim: int = 512, kept: int = 128):
        super().__init__()
        if not 1 <= kept <= w_dim:
            raise UserError(f"a whitening keeps 1 to {w_dim} directions; got {kept}")
        self.register_buffer("mean", torch.zeros(w_dim))
        self.register_buffer("basis", torch.eye(kept, w_dim))  # [K, D], each row as long as its spread

    @torch.no_grad()
    def fit(self, w: Tensor) -> "Whitening":
        """Take mean and directions from samples ``[N, D]``, N at least twice D; returns itself.

        Raises:
            UserError: too few samples, or codes of another width.
        """
        if w.ndim != 2 or w.shape[1] != self.mean.numel() or len(w) < 2 * w.shape[1]:
            raise UserError(f"a whitening needs codes [N, {self.mean.numel()}], N at least twice that; got {tuple(w.shape)}")
        values, vectors = torch.linalg.eigh(torch.cov(w.double().T))
        top = slice(-len(self.basis), None)
        spread = values[top].clamp_min(1e-12).sqrt()
        self.mean.copy_(w.double().mean(0))
        self.basis.copy_((vectors[:, top] * spread).flip(1).T)
        return self

    def forward(self, w: Tensor) -> Tensor:
        """Whitened coordinates, ``[..., D]`` -> ``[..., K]``."""
        return (w - self.mean) @ (self.basis / self.basis.square().sum(1, keepdim=True)).T

    def back(self, a: Tensor) -> Tensor:
        """The code of whitened coordinates, ``[..., K]`` -> ``[..., D]``."""
        return self.mean + a @ self.basis


def explained(truth: Tensor, guess: Tensor) -> float:
    """Share of all variance of whitened coordinates that a guess explains, ``[N, K]`` twice; 0 is what the mean does."""
    wrong = (truth - guess).detach().square().sum()
    return float(1 - wrong / (truth - truth.mean(0)).square().sum().clamp_min(1e-12))


class Centre(nn.Module):
    """CLIP's features seen from their own mean: pictures of portraits fill a narrow cone, and its axis says nothing."""

    def __init__(self, embed_dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(embed_dim))
        self.register_buffer("spread", torch.ones(()))

    @torch.no_grad()
    def fit(self, e: Tensor) -> "Centre":
        """Mean and root mean square of the deviations of unit features ``[N, E]``; returns itself."""
        self.mean.copy_(e.mean(0))
        self.spread.copy_((e - self.mean).square().mean().sqrt())
        return self

    def forward(self, e: Tensor) -> Tensor:
        """Deviations of about unit size, ``[..., E]``.

        Raises:
            UserError: features of another width.
        """
        if e.shape[-1] != self.mean.numel():
            raise UserError(f"this bridge needs CLIP features of width {self.mean.numel()}; got {e.shape[-1]}")
        return (e - self.mean) / self.spread
