"""When numbers end: a run stops at the first loss or gradient that is not a number, and says why."""

import torch
from torch import Tensor, nn

from iplkit.errors import UserError


class NotFinite(UserError):
    """A loss or a gradient was not finite; the update was not made.

    Attributes:
        step: the update that could not be made, from 1 on.
        generator: the generator after the updates before it, as the run would have returned it; None until the loop ends.
        log: one row for each update that was made.
    """

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.step, self.generator, self.log = 0, None, []


def refuse_loss(loss: Tensor, step: int, parts: dict[str, Tensor]) -> None:
    """Stop if the loss is not finite, and name the first part of it that is not.

    Args:
        loss: scalar.
        step: updates done.
        parts: what the loss was made of, in the order in which it was computed.

    Raises:
        NotFinite: if it is not.
    """
    if not torch.isfinite(loss):
        guilty = next((name for name, part in parts.items() if not torch.isfinite(part).all()), "a term of the loss")
        _stop(step, f"the loss is {float(loss.detach())} because {guilty} holds a value that is not finite")


def refuse_gradients(module: nn.Module, step: int) -> None:
    """Stop if a gradient is not finite: Adam would carry it into every later step.

    Raises:
        NotFinite: naming the first parameter concerned.
    """
    grads = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    norms = torch.stack(torch._foreach_norm(list(grads.values()))) if grads else torch.zeros(1)
    if not torch.isfinite(norms).all():
        guilty = list(grads)[int((~torch.isfinite(norms)).nonzero()[0])]
        _stop(step, f"the gradient of {guilty} is not finite though the loss is")


def _stop(step: int, reason: str) -> None:
    error = NotFinite(
        f"step {step + 1} needs a finite loss, but {reason}; the generator after {step} steps is kept; "
        "try a smaller lr, a larger floor or another seed"
    )
    error.step = step + 1
    raise error
