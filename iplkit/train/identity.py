"""How the identity network was trained: first what makes a person, then to tell persons apart.

InfoNCE: van den Oord et al. 2018, Sec. 2.3. The batch holds whole families, whose persons share skin and hair color, so
the nearest wrong answers are always hard ones.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.nets.identity import Identity, save_identity
from iplkit.train import augment
from iplkit.train.common import LossOfStep, Phase, Recipe
from iplkit.train.pool import FAMILY, FLAGS, Pool, PoolSettings
from iplkit.world.truth import identity

TEMPERATURE = 0.07


def disturb(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, tint, noise."""
    images = augment.move(images, generator, shift=0.04, zoom=0.05)
    images = augment.tint(images, generator, 0.05)
    return augment.grain(images, generator, 0.06)


def pair_loss(embeds: Tensor) -> Tensor:
    """InfoNCE over a batch whose rows 2k and 2k + 1 are one person, ``[N, E]`` on the unit sphere -> scalar."""
    logits = embeds @ embeds.T / TEMPERATURE
    logits = logits.masked_fill(torch.eye(len(embeds), dtype=torch.bool, device=embeds.device), -1e4)
    other = torch.arange(len(embeds), device=embeds.device) ^ 1
    return F.cross_entropy(logits, other)


def begin(model: nn.Module, phase: Phase, pools: dict[str, Pool]) -> LossOfStep:
    """Phase setting "pairs" chooses the pool and adds the pair loss."""
    paired = phase.settings["pairs"]
    pool = pools["pairs" if paired else "pool"]
    device = next(model.parameters()).device

    def loss_of(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = pool.rows(step, phase.batch, phase.seed, group=2 * FAMILY if paired else 1)
        images = disturb(pool.images(rows), generator).contiguous(memory_format=torch.channels_last)
        embeds, guess = model.answers(images.to(device))
        person = (pool.flags(rows) != FLAGS.index("ruin")).float()[:, None].to(device)
        factor = 12 * ((guess - identity(pool.factors(rows)).to(device)).square() * person).mean()
        if not paired:
            return factor, {"factor": float(factor.detach())}
        pair = pair_loss(embeds)
        return pair + phase.settings["factor_weight"] * factor, {"factor": float(factor.detach()), "pair": float(pair.detach())}

    return loss_of


def separation(same: Tensor, other: Tensor) -> float:
    """Area under the ROC curve: the chance that a true pair is nearer than a false one."""
    values = torch.cat([same, other])
    ranks = torch.empty(len(values), dtype=torch.double)
    ranks[values.argsort()] = torch.arange(1, len(values) + 1, dtype=torch.double)
    n, m = len(same), len(other)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


@torch.no_grad()
def check(model: nn.Module, pools: dict[str, Pool]) -> dict[str, float]:
    """AUC of held-out photo pairs against strangers and against the family, and of pairs across domains."""
    pool = pools["pairs"]
    rows = pool.test
    device = next(model.parameters()).device
    embeds = torch.cat([model(pool.images(r).to(device)).cpu() for r in rows.split(128)])
    photo = pool.classes(rows)[0][1::2, 0] == 0
    first, second = embeds[0::2], embeds[1::2]
    people = torch.arange(len(first))
    family = people.view(-1, FAMILY).roll(1, 1).flatten()  # another person of the family
    stranger = people.roll(3 * FAMILY)  # a person of another family

    def likeness(other: Tensor, wanted: Tensor) -> Tensor:
        return (first * second[other]).sum(1)[wanted & (photo[other] == photo)]

    scores = {"AUC photo": separation(likeness(people, photo), likeness(stranger, photo))}
    scores["AUC photo, hard pairs"] = separation(likeness(people, photo), likeness(family, photo))
    return scores | {"AUC photo to targets": separation(likeness(people, ~photo), likeness(stranger, ~photo))}


PHASES = (
    Phase("factors", steps=1200, lr=2e-3, seed=13, batch=96, share=0.3, settings={"pairs": False}),
    Phase("pairs", steps=2400, lr=2e-3, seed=14, batch=96, share=0.7, settings={"pairs": True, "factor_weight": 1.0}),
    Phase("longer", steps=2400, lr=1.5e-3, seed=25, batch=96, share=0.7, settings={"pairs": True, "factor_weight": 1.0}),
)
POOLS = {"pool": PoolSettings(), "pairs": PoolSettings(16 * 1024, kind="pairs", seed=1)}
RECIPE = Recipe("identity", PHASES, lambda: Identity(seed=13), POOLS, begin, check, save_identity)
