"""Several image sets judged alike: scores with intervals, and intervals of the differences between methods.

Methods that were given the same latents are resampled together, picture by picture. What is hard for both then
cancels in their difference, and a small difference can be told from noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.errors import NotHere, UserError
from iplkit.metrics.frechet import fid
from iplkit.metrics.inception_score import inception_score

NORMAL = 1.959964  # two-sided 95 %
MINUS = " minus "  # between the names of a difference


@dataclass(frozen=True)
class Estimate:
    """A number and half the width of its 95 % interval."""

    value: float
    half: float

    low = property(lambda self: self.value - self.half)
    high = property(lambda self: self.value + self.half)

    def __str__(self) -> str:
        """Value and half width with the same decimals: two digits of the half width are printed."""
        if self.half == 0:
            return f"{self.value:.3g}"
        digits = max(0, 1 - int(torch.tensor(self.half).log10().floor()))
        return f"{self.value:.{digits}f} ± {self.half:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def intervals(numbers: Callable[..., dict[str, float]], sizes: Sequence[int], rounds: int = 40, seed: int = 0) -> dict[str, Estimate]:
    """95 % intervals of numbers of sets, from sets drawn again with replacement.

    The middle is the number of the sets themselves. Only the spread is taken from the resamples: a distance such as
    FID is larger on all of them, because a resample repeats pictures.

    Args:
        numbers: one tensor of row numbers for each independent set -> named numbers.
        sizes: rows in each independent set.
        rounds: resamples, at least 2.
        seed: which ones.
    """
    if rounds < 2:
        raise UserError(f"intervals need at least 2 rounds of resampling; got {rounds}")
    g = torch.Generator().manual_seed(seed)
    found = numbers(*(torch.arange(n) for n in sizes))
    draws = [numbers(*(torch.randint(n, (n,), generator=g) for n in sizes)) for _ in range(rounds)]
    spread = {name: torch.tensor([d[name] for d in draws], dtype=torch.float64).std().item() for name in found}
    return {name: Estimate(value, NORMAL * spread[name]) for name, value in found.items()}


def set_numbers(real: dict[str, Tensor], fake: dict[str, Tensor], domain: int) -> dict[str, float]:
    """What the judge's features say of one set.

    Args:
        real: true renders, from `iplkit.features.judge_features`.
        fake: the set.
        domain: index of the domain it should belong to.

    Returns:
        "FID" to the true renders, "IS" over the kinds of people (one split), "called": share given to the domain,
        "none": share given to no domain.

    Raises:
        NotHere: features of a judge that knows no domains.
    """
    if "domain_probs" not in fake:
        raise NotHere("only the world's judge tells its domains apart")
    few = min(len(real["pool"]), len(fake["pool"])) <= real["pool"].shape[1]
    classes = fake["domain_probs"].argmax(dim=1)
    return {
        "FID": fid(real["pool"], fake["pool"], low_rank=few).value,
        "IS": inception_score(fake["kinds_probs"], splits=1).value,
        "called": (classes == domain).double().mean().item(),
        "none": (classes == fake["domain_probs"].shape[1] - 1).double().mean().item(),
    }


def compare(
    real: dict[str, Tensor],
    fakes: dict[str, dict[str, Tensor]],
    domain: int,
    differences: Sequence[tuple[str, str]] = (),
    rounds: int = 40,
    seed: int = 0,
) -> dict[str, dict[str, Estimate]]:
    """`set_numbers` of several sets with intervals, and of differences between them.

    Args:
        real: judge's features of true renders.
        fakes: name -> judge's features; row i of each set stands for the same latent.
        domain: index of the domain the sets should belong to.
        differences: pairs (a, b) of names: what a has more than b.
        rounds, seed: of the resampling.

    Returns:
        Name of a set, or "a minus b" -> name of a number -> `Estimate`.

    Raises:
        UserError: if the sets differ in size, so that their rows cannot belong together.
    """
    sizes = {len(found["pool"]) for found in fakes.values()}
    if len(sizes) != 1:
        raise UserError(f"compare needs sets of one size, drawn from the same latents; got {sorted(sizes)}")

    def numbers(rows_real: Tensor, rows: Tensor) -> dict[str, float]:
        truth = _take(real, rows_real)
        found = {name: set_numbers(truth, _take(fake, rows), domain) for name, fake in fakes.items()}
        for a, b in differences:
            found[a + MINUS + b] = {key: found[a][key] - found[b][key] for key in found[a]}
        return {f"{name}/{key}": value for name, each in found.items() for key, value in each.items()}

    table: dict[str, dict[str, Estimate]] = {}
    for name, estimate in intervals(numbers, (len(real["pool"]), sizes.pop()), rounds, seed).items():
        table.setdefault(name.rpartition("/")[0], {})[name.rpartition("/")[2]] = estimate
    return table


def _take(features: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: tensor[rows] for name, tensor in features.items()}
