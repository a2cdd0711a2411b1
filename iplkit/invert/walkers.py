"""Two ways downhill for many pictures at once, each picture for itself: Adam, and limited-memory BFGS.

Adam: Kingma and Ba 2015. L-BFGS: Nocedal and Wright 2006, "Numerical Optimization", Alg. 7.4; its two loops run for all pictures
side by side, and a step that does not lower a picture's loss is taken back for this picture alone.

A walker is told the loss and gradient of each picture where it stands, and says where to look next. Axis letters: N pictures, P
free numbers of one picture, M steps remembered.
"""

import torch
from torch import Tensor

State = dict[str, Tensor]


class Adam:
    """Adam over ``[N, P]`` numbers.

    Args:
        betas: how slowly the mean gradient and its square are forgotten.
        eps: keeps the division finite.
    """

    def __init__(self, x: Tensor, betas: tuple[float, float], eps: float = 1e-8):
        self.x, self.betas, self.eps = x.clone(), betas, eps
        self.mean, self.square, self.count = torch.zeros_like(x), torch.zeros_like(x), 0

    @property
    def point(self) -> Tensor:
        """Where loss and gradient are wanted, and where the walker stands at the end."""
        return self.x

    best = point

    def step(self, loss: Tensor, gradient: Tensor, rate: float | Tensor) -> None:
        """Move; `rate` is a number, or one a column ``[P]``."""
        self.count += 1
        a, b = self.betas
        self.mean.lerp_(gradient, 1 - a)
        self.square.mul_(b).addcmul_(gradient, gradient, value=1 - b)
        size = (self.square / (1 - b**self.count)).sqrt_().add_(self.eps)
        self.x = self.x - rate * (self.mean / (1 - a**self.count)) / size

    def state(self) -> State:
        """Everything that the next step depends on."""
        return {"x": self.x, "mean": self.mean, "square": self.square, "count": torch.tensor(self.count)}

    def restore(self, state: State) -> None:
        """Go on from `state`."""
        self.x, self.mean, self.square, self.count = state["x"], state["mean"], state["square"], int(state["count"])


class Lbfgs:
    """L-BFGS over ``[N, P]`` numbers, one evaluation a step.

    Args:
        memory: steps remembered.
        first: length of the first step, since nothing is known of the slope's change then.
    """

    def __init__(self, x: Tensor, memory: int = 20, first: float = 1.0):
        n = len(x)
        self.here, self.tried, self.first, self.memory = x.clone(), x.clone(), first, memory
        self.loss, self.gradient, self.share = x.new_full((n,), torch.inf), torch.zeros_like(x), x.new_ones(n)
        self.moves, self.changes = x.new_zeros(0, n, x.shape[1]), x.new_zeros(0, n, x.shape[1])  # [M, N, P]

    @property
    def point(self) -> Tensor:
        """Where loss and gradient are wanted next."""
        return self.tried

    @property
    def best(self) -> Tensor:
        """The best point that was looked at."""
        return self.here

    def step(self, loss: Tensor, gradient: Tensor, rate: float | Tensor = 1.0) -> None:
        """Take the tried point where it is better, remember the move, and choose the next one. The rate is its own."""
        better = loss < self.loss
        move = torch.where(better[:, None], self.tried - self.here, 0.0)
        change = torch.where(better[:, None] & self.loss.isfinite()[:, None], gradient - self.gradient, 0.0)
        self._remember(move, change)
        self.share = torch.where(better, (2 * self.share).clamp(max=1.0), 0.3 * self.share)
        self.here = torch.where(better[:, None], self.tried, self.here)
        self.gradient = torch.where(better[:, None], gradient, self.gradient)
        self.loss = torch.where(better, loss, self.loss)
        self.tried = self.here - self.share[:, None] * self._turned()

    def _remember(self, move: Tensor, change: Tensor) -> None:
        if not bool(((move * change).sum(1) > 0).any()):
            return
        keep = slice(-self.memory, None)
        self.moves = torch.cat([self.moves, move[None]])[keep]
        self.changes = torch.cat([self.changes, change[None]])[keep]

    def _turned(self) -> Tensor:
        """The gradient times the remembered estimate of the inverse Hessian, ``[N, P]``."""
        along = (self.moves * self.changes).sum(2)  # [M, N]
        use = along > 1e-10 * self.changes.square().sum(2).clamp_min(1e-30)
        inverse = torch.where(use, 1 / torch.where(use, along, 1.0), 0.0)
        q, weights = self.gradient.clone(), []
        for k in reversed(range(len(self.moves))):
            weights.append(inverse[k] * (self.moves[k] * q).sum(1))
            q = q - weights[-1][:, None] * self.changes[k]
        q = q * self._scale(along, use)[:, None]
        for k in range(len(self.moves)):
            q = q + self.moves[k] * (weights[-1 - k] - inverse[k] * (self.changes[k] * q).sum(1))[:, None]
        return q

    def _scale(self, along: Tensor, use: Tensor) -> Tensor:
        """The last known curvature of each picture; before there is one, whatever makes the first step as long as asked."""
        scale = self.first / self.gradient.norm(dim=1).clamp_min(1e-12)
        for k in range(len(self.moves)):
            scale = torch.where(use[k], along[k] / self.changes[k].square().sum(1).clamp_min(1e-30), scale)
        return scale

    def state(self) -> State:
        """Everything that the next step depends on."""
        names = ("here", "tried", "loss", "gradient", "share", "moves", "changes")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: State) -> None:
        """Go on from `state`."""
        for name, tensor in state.items():
            setattr(self, name, tensor)
