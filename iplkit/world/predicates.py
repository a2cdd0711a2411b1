"""When a word is true of a portrait: factor ranges behind the words, with a gap where neither yes nor no is safe."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.factors import NAMES, check_factors, column

INF = float("inf")


@dataclass(frozen=True)
class Predicate:
    """A statement about a person.

    Each condition is (factor, low, high, gap): true inside [low, high], false farther than `gap` outside, else unsaid.
    All conditions must be true; one false condition makes the statement false.
    """

    name: str
    topic: str  # what must be visible for it, see `HIDDEN`
    conditions: tuple[tuple[str, float, float, float], ...]


def _hair_color(name: str, k: int) -> Predicate:
    low, high = (-INF if k == 0 else 0.2 * k + 0.045), (INF if k == 4 else 0.2 * k + 0.155)
    return Predicate(name, "hair color", (("hair_color", low, high, 0.09), ("hair_length", 0.2, INF, 0.08)))


PREDICATES = (
    Predicate("man", "sex", (("femininity", -INF, 0.35, 0.25), ("age", 0.2, INF, 0.1))),
    Predicate("woman", "sex", (("femininity", 0.65, INF, 0.25), ("age", 0.2, INF, 0.1))),
    Predicate("boy", "sex", (("femininity", -INF, 0.35, 0.25), ("age", -INF, 0.28, 0.12))),
    Predicate("girl", "sex", (("femininity", 0.65, INF, 0.25), ("age", -INF, 0.28, 0.12))),
    Predicate("young", "age", (("age", -INF, 0.32, 0.2),)),
    Predicate("old", "age", (("age", 0.7, INF, 0.2),)),
    Predicate("happy", "smile", (("smile", 0.7, INF, 0.2),)),
    Predicate("sad", "smile", (("smile", -INF, 0.3, 0.2),)),
    Predicate("angry", "brow", (("brow", -INF, 0.25, 0.2), ("smile", -INF, 0.6, 0.15))),
    Predicate("bald", "hair length", (("hair_length", -INF, 0.08, 0.04),)),
    Predicate("short", "hair length", (("hair_length", 0.14, 0.38, 0.1),)),
    Predicate("long", "hair length", (("hair_length", 0.64, INF, 0.14),)),
    Predicate("curly", "curl", (("curl", 0.72, INF, 0.3), ("hair_length", 0.2, INF, 0.1))),
    Predicate("straight", "curl", (("curl", -INF, 0.28, 0.3), ("hair_length", 0.2, INF, 0.1))),
    *(_hair_color(name, k) for k, name in enumerate(("black", "brown", "red", "golden", "grey"))),
    Predicate("glasses", "glasses", (("glasses", 0.72, INF, 0.13),)),
    Predicate("no glasses", "glasses", (("glasses", -INF, 0.58, 0.13),)),
    Predicate("beard", "beard", (("beard", 0.58, INF, 0.14),)),
    Predicate("no beard", "beard", (("beard", -INF, 0.42, 0.14),)),
    Predicate("pale", "skin", (("skin_tone", -INF, 0.25, 0.25),)),
    Predicate("dark", "skin", (("skin_tone", 0.72, INF, 0.22),)),
    Predicate("open mouth", "mouth", (("mouth_open", 0.65, INF, 0.3),)),
)
PREDICATE_NAMES = tuple(p.name for p in PREDICATES)

HIDDEN = {
    "wall painting": ("hair color", "skin", "curl", "age", "beard"),
    "ukiyo-e": ("hair color", "skin", "curl"),
    "tolkien elf": ("hair color", "skin"),
    "werewolf": ("skin", "beard", "curl", "age", "sex", "smile", "brow", "mouth", "hair length", "glasses"),
    "pointillism": ("curl", "beard", "age", "brow"),
    "cubism": ("hair color", "skin", "curl", "age", "sex", "smile", "brow", "mouth", "beard"),
    "sketch": ("hair color", "skin"),
    "zombie": ("skin", "age"),
    "statue": ("hair color", "skin"),
}
"""Topics that a domain's picture does not show, or not surely; nothing is said of them there."""


def predicate_index(name: str) -> int:
    """Column of a statement in `truth`.

    Raises:
        UserError: if there is no such statement.
    """
    if name not in PREDICATE_NAMES:
        raise UserError(f"a statement is one of {', '.join(PREDICATE_NAMES)}; got {name!r}")
    return PREDICATE_NAMES.index(name)


def truth(factors: Tensor) -> Tensor:
    """What can be said of each person, ``[N, F]`` -> ``[N, P]``: 1 true, 0 false, NaN better left unsaid."""
    check_factors(factors)
    columns = {name: column(factors, name).float() for name in NAMES}
    rows = []
    for p in PREDICATES:
        true = torch.ones(len(factors), dtype=torch.bool, device=factors.device)
        false = ~true
        for name, low, high, gap in p.conditions:
            x = columns[name]
            true = true & (x >= low) & (x <= high)
            false = false | (x < low - gap) | (x > high + gap)
        rows.append(torch.where(true, 1.0, torch.where(false, 0.0, float("nan"))))
    return torch.stack(rows, dim=1)


def shown(domain: str) -> Tensor:
    """Which statements a domain's pictures can show, ``[P]`` bool; a ruin shows none."""
    if domain not in DOMAINS:
        return torch.zeros(len(PREDICATES), dtype=torch.bool)
    hidden = HIDDEN.get(domain, ())
    return torch.tensor([p.topic not in hidden for p in PREDICATES])
