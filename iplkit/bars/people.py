"""M6: does the identity network know a person again, elsewhere, and in another domain?"""

import torch
from torch import Tensor, nn

from iplkit.bars.row import Row, value_row
from iplkit.bars.sets import Scale, draw_renders, rng, texture_seed
from iplkit.features import identity_features
from iplkit.metrics.auc import auc
from iplkit.metrics.score import Score
from iplkit.world.factors import IDENTITY, NUM_FACTORS, from_uniform, indices
from iplkit.world.render import DOMAINS

ALIKE = ("skin_tone", "skin_hue", "hair_color")
ALIKE_WITHIN = 0.08
FEWER = 5  # a domain gets a fifth of the people; no bar stands on these rows
VALID = 0.9  # below this AUC an identity score between photo and a domain says nothing


def triples(scale: Scale, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Anchors, the same people in other circumstances, and other people of like skin and hair.

    They are made from the uniform numbers behind the factors, so that each picture follows the world's law.

    Returns:
        Three factor tensors ``[n, F]``; rows belong together.
    """
    source = rng(scale, "people")
    anchor, same, other = torch.rand(3, n, NUM_FACTORS, generator=source)
    jitter = (torch.rand(n, len(ALIKE), generator=source) * 2 - 1) * ALIKE_WITHIN
    same[:, indices(IDENTITY)] = anchor[:, indices(IDENTITY)]
    other[:, indices(ALIKE)] = (anchor[:, indices(ALIKE)] + jitter).clamp(0, 1)
    return from_uniform(anchor), from_uniform(same), from_uniform(other)


def pair_auc(anchor: Tensor, same: Tensor, different: Tensor) -> Score:
    """AUC of cosine similarity, same person against different ones; embeddings ``[N, D]`` each."""
    return auc((anchor * same).sum(dim=1), (anchor * different).sum(dim=1))


def m6(scale: Scale, identity: nn.Module) -> list[Row]:
    """AUC in photo, on hard pairs, and between a photo and the same person in each domain."""
    n = max(2, scale.n // 2)
    anchor, same, other = triples(scale, n)

    def embed(factors: Tensor, name: str, domain: str = "photo") -> Tensor:
        return identity_features(identity, draw_renders(scale, factors, domain, texture_seed(scale, f"people {name}")))

    photo, again, alike = embed(anchor, "anchor"), embed(same, "same"), embed(other, "other")
    easy, hard = pair_auc(photo, again, again.roll(1, 0)), pair_auc(photo, again, alike)
    rows = [
        value_row("M6", "identity AUC, photo", easy.value, n, ">= 0.99", easy.spread),
        value_row("M6", "identity AUC, photo, hard pairs", hard.value, n, ">= 0.95", hard.spread, "skin and hair within 0.08"),
    ]
    few = max(2, n // FEWER)
    for domain in DOMAINS[1:]:
        elsewhere = embed(same[:few], domain, domain)
        score = pair_auc(photo[:few], elsewhere, elsewhere.roll(1, 0))
        note = "" if score.value >= VALID else "ID invalid here"
        rows.append(value_row("M6", f"identity AUC, photo and {domain}", score.value, few, "", score.spread, note))
    return rows
