"""One change at a time: which settings the ablations change, and what each change is called in a cell's name.

Everything else stays as in the base run of the same method, domain and seed, so the two are paired.
"""

from dataclasses import dataclass

from iplkit.adapt.methods import PAPER
from iplkit.sweep.cells import Cell

TWO = ("disney", "sketch")  # one that changes shapes, one that changes the surface
SEEDS = range(3)


@dataclass(frozen=True)
class Ablation:
    """One change.

    Args:
        name: the cells' variant.
        topic: a name in `TOPICS`.
        changes: as `iplkit adapt --set` takes them.
        method: whose base run it is compared with.
    """

    name: str
    topic: str
    changes: tuple[str, ...]
    method: str = "ipl"


TOPICS = ("words", "vectors", "sentence", "weights", "mapper", "layers", "loop", "whole")
PUBLISHED = "quirks=" + ",".join(sorted(PAPER["ipl"].quirks))
ABLATIONS = (
    Ablation("a portrait of a", "words", ("prompt=a portrait of a",)),
    Ablation("to see up from", "words", ("prompt=to see up from",)),  # words that this CLIP knows, and no sense
    Ablation("1 vector", "vectors", ("prompt=a",)),
    Ablation("2 vectors", "vectors", ("prompt=photo of",)),
    Ablation("8 vectors", "vectors", ("prompt=a good photo of the face of a",)),
    Ablation("sentence without class", "sentence", ("quirks=base_without_class",)),
    Ablation("no sentence", "sentence", ("base=none",)),
    Ablation("one template", "sentence", ('templates=["a photo of a {}."]',)),
    Ablation("lambda_l 0", "weights", ("lambda_domain=0",)),
    Ablation("lambda_l 3", "weights", ("lambda_domain=3",)),
    Ablation("lambda_src 1", "weights", ("lambda_source=1",)),
    Ablation("transformer", "mapper", ("mapper=transformer",)),
    Ablation("transformer as written", "mapper", ("mapper=transformer as written",)),
    Ablation("untrained mapper", "mapper", ("mapper_steps=0",)),
    Ablation("3 of 10 rows", "layers", ("selector=adaptive", "rows_k=3")),
    Ablation("6 of 10 rows", "layers", ("selector=adaptive", "rows_k=6")),
    Ablation("6 of 10 rows, every step", "layers", ("selector=adaptive", "rows_k=6", "select_every=1")),
    Ablation("batch 2", "loop", ("batch=2",)),
    Ablation("batch 8", "loop", ("batch=8",)),
    Ablation("last weights", "loop", ("ema=0",)),
    Ablation("last weights", "loop", ("ema=0",), "nada"),
    Ablation("own noise", "loop", ("noise=independent",)),
    Ablation("own noise", "loop", ("noise=independent",), "nada"),
    Ablation("as published", "whole", (PUBLISHED, "noise=independent")),
)


def ablations() -> list[Cell]:
    """Every change in two domains; the first seed of all before the second, so that an unfinished sweep has whole tables."""
    return [Cell(a.method, target, seed, a.changes, a.name) for seed in SEEDS for a in ABLATIONS for target in TWO]
