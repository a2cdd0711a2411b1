"""The baseline without CLIP: a direction in W as the normal of the plane between people with and without something.

InterFaceGAN (Shen et al. 2020) and the first encoders of StyleGAN took labels of a classifier; so does this. Axis letters: N
people, D width of w.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError

STEPS = 100  # of L-BFGS


def logistic_direction(w: Tensor, labels: Tensor, decay: float = 1e-2) -> Tensor:
    """Unit normal of logistic regression, pointing to the people with the label.

    Args:
        w: ``[N, D]``.
        labels: true or false, ``[N]``.
        decay: weight of the squared length; without it, separable people would have no answer.

    Returns:
        ``[D]``.

    Raises:
        UserError: shapes that differ, or people of one kind only.
    """
    labels = labels.bool()
    if w.ndim != 2 or labels.shape != w.shape[:1] or not bool(labels.any()) or bool(labels.all()):
        raise UserError(f"a border needs w [N, D] of people with and without the label; got {list(w.shape)} and {int(labels.sum())} with it")
    centre, scale = w.mean(0), w.std().clamp_min(1e-8)
    x, y = (w - centre) / scale, labels.to(w.dtype)
    weight, bias = torch.zeros(w.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    walker = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        walker.zero_grad()
        value = F.binary_cross_entropy_with_logits(x @ weight + bias, y) + decay * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        walker.step(loss)
    return F.normalize(weight.detach(), dim=0)
