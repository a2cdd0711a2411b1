"""Which channels an edit takes: beta as a number, as a count of channels, or as a share of false ones.

Two random directions in E dimensions have a cosine of about 1 / sqrt(E), so a channel can look relevant by chance. How often
it does is counted with directions between unrelated texts. Axis letters: K channels, E width of CLIP, P random pairs of texts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.errors import UserError

WAYS = ("number", "count", "false")


@dataclass(frozen=True)
class Beta:
    """How channels are chosen.

    Args:
        value: the threshold; or how many channels; or the largest share of false ones among them, in (0, 1).
        way: which of these, "number", "count" or "false".
    """

    value: float
    way: str = "number"

    def __post_init__(self):
        fits = {"number": self.value >= 0, "count": self.value >= 1 and self.value == int(self.value), "false": 0 < self.value < 1}
        if not fits.get(self.way, False):
            raise UserError(f"beta is a number from 0, a count from 1 or a share of false channels inside 0 to 1; got {self.value} as {self.way!r}")


def parse_beta(text: str) -> Beta:
    """Beta as a command line writes it: "0.1" a number, "20 channels" (or "20c") a count, "5%" a share of false ones.

    Raises:
        UserError: for anything else.
    """
    word = str(text).strip().removesuffix("channels").strip() if str(text).strip().endswith("channels") else str(text).strip()
    way = "false" if word.endswith("%") else "count" if word.endswith("c") or word != str(text).strip() else "number"
    try:
        value = float(word.rstrip("%c"))
    except ValueError:
        raise UserError(f"beta is written as 0.1, 20c (channels) or 5% (false ones among them); got {text!r}") from None
    return Beta(value / 100 if way == "false" else value, way)


def threshold(relevance: Tensor, beta: Beta, null: Tensor | None = None) -> float:
    """Beta as a number: channels with at least this relevance are taken.

    Args:
        relevance: of each channel to the prompt, ``[K]``.
        beta: see `Beta`.
        null: relevance of the same channels to P random pairs of texts, ``[P, K]``; needed for a share of false ones.

    Returns:
        The threshold. For a count, the relevance of the last channel taken. For a share of false ones, the smallest threshold
        at which the mean number of channels that a random pair selects is at most that share of those that the prompt selects.

    Raises:
        UserError: a count above K, a share without `null`, or one that no threshold keeps.
    """
    size = relevance.abs()
    if beta.way == "number":
        return float(beta.value)
    ordered = size.sort(descending=True).values
    if beta.way == "count":
        if beta.value > len(ordered):
            raise UserError(f"beta needs at most the {len(ordered)} channels there are; got {int(beta.value)}")
        return float(ordered[int(beta.value) - 1])
    if null is None or null.ndim != 2 or null.shape[1] != len(size):
        raise UserError("a share of false channels needs the relevance to random pairs of texts, one row a pair")
    good = false_share(relevance, null, ordered) <= beta.value
    if not bool(good.any()):
        least = float(false_share(relevance, null, ordered).min())
        raise UserError(f"no threshold keeps the share of false channels at {beta.value:g} or below; the least is {least:.2g}")
    return float(ordered[good.nonzero().max()])


def false_share(relevance: Tensor, null: Tensor, thresholds: Tensor) -> Tensor:
    """Estimated share of chance among the channels taken at some thresholds, ``[T]``, in [0, 1].

    What a random pair of texts selects on average, over what the prompt selects (Tusher, Tibshirani and Chu 2001, SAM).
    """
    chance = torch.stack([(null.abs() >= t).sum(1).double().mean() for t in thresholds])
    taken = torch.stack([(relevance.abs() >= t).sum() for t in thresholds]).clamp_min(1)
    return (chance / taken).clamp_max(1)


def select(relevance: Tensor, beta: float) -> Tensor:
    """Which channels reach the threshold, a mask ``[K]``.

    Raises:
        UserError: none does, with the largest beta that one would reach. Published code divides 0 by 0 here.
    """
    mask = relevance.abs() >= beta
    largest = float(relevance.abs().max())
    if not bool(mask.any()) or largest == 0:
        shown = int(largest * 1e4) / 1e4  # rounded down, so that it can be used as it is read
        raise UserError(f"beta needs to be at most {shown:g} for this prompt, where one channel is left; at {beta:g} none is")
    return mask
