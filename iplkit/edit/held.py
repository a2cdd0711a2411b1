"""A text's step that leaves other things alone, as far as CLIP can tell what they are.

A slope says what a channel does for the text, not what else it does. Two remedies, both linear algebra on derivatives:
`others_held` takes out of the slopes what other known texts share with them, a projection as Shen et al. 2020 ("Interpreting
the Latent Space of GANs for Semantic Face Editing", conditional manipulation) do with borders in W. `least_change` asks for the
step that moves CLIP's whole feature least while it moves it along the text.

Axis letters: N people, K channels, T other texts, E width of CLIP.
"""

import torch
from torch import Tensor

from iplkit.edit.relevance import BATCH, Eye
from iplkit.errors import UserError

SOFT = 0.1  # of the other texts' mean square: two texts that nearly coincide must not divide by nothing


def others_held(slopes: Tensor, others: Tensor, soft: float = SOFT) -> Tensor:
    """The slopes less the part that lies in the span of other texts' slopes, ``[K]``.

    Args:
        slopes: of the text, ``[K]``; see `iplkit.edit.relevance.prompt_slopes`.
        others: of T other texts, ``[T, K]``.
        soft: 0 removes the span altogether; more leaves some.

    Raises:
        UserError: tables that do not fit.
    """
    if others.ndim != 2 or slopes.shape != others.shape[1:]:
        raise UserError(f"others need slopes of the same {len(slopes)} channels, one row a text; got {tuple(others.shape)}")
    if not len(others):
        return slopes
    gram = others @ others.T
    ridge = soft * gram.diagonal().mean() * torch.eye(len(others)).to(gram)
    return slopes - others.T @ torch.linalg.solve(gram + ridge, others @ slopes)


def change_gram(eye: Eye, codes: Tensor, std: Tensor, columns: Tensor) -> Tensor:
    """Mean over people of JᵀJ, J the change of CLIP's feature per standard deviation of each channel, ``[K, K]``.

    ``d @ gram @ d`` is the mean squared change of the feature for a small step d.

    Args:
        eye: generator and CLIP.
        codes: ``[N, C]``.
        std: ``[C]``.
        columns: ``[K]``.
    """
    total = torch.zeros(len(columns), len(columns))
    for part in codes.split(BATCH):
        part = part.detach().clone().requires_grad_()
        features = eye(part)
        for e in range(features.shape[1]):
            (gradient,) = torch.autograd.grad(features[:, e].sum(), part, retain_graph=True)
            rows = gradient[:, columns] * std[columns]
            total += rows.T @ rows
    return total / len(codes)


def least_change(slopes: Tensor, gram: Tensor, damping: float) -> Tensor:
    """The step along the text whose whole change of the feature is least, ``[K]`` in standard deviations, up to its length.

    It minimises ``d @ gram @ d + damping * mean(diagonal) * |d|²`` at a given ``slopes @ d``.

    Args:
        slopes: ``[K]``.
        gram: see `change_gram`.
        damping: large, and the step is the slopes themselves.

    Raises:
        UserError: a damping that is not above 0, or tables that do not fit.
    """
    if not damping > 0 or gram.shape != (len(slopes), len(slopes)):
        raise UserError(f"the least change needs a damping above 0 and a table of {len(slopes)} channels; got {damping} and {tuple(gram.shape)}")
    return torch.linalg.solve(gram + damping * gram.diagonal().mean() * torch.eye(len(slopes)).to(gram), slopes)
