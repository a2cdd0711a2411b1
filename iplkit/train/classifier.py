"""What critic and judge are both taught: soft domain shares with the class "none", factors, and kinds of people."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.nets.readout import Readout
from iplkit.train.common import LossOfStep, Phase
from iplkit.train.pool import FLAGS, Pool
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.factors import NAMES
from iplkit.world.truth import kinds

Augment = Callable[[Tensor, torch.Generator], Tensor]
RUIN = FLAGS.index("ruin")


def with_none(shares: Tensor) -> Tensor:
    """Shares of all classes -> shares of the domains and "none", ``[N, C]`` -> ``[N, 15]``."""
    n = len(DOMAINS)
    return torch.cat([shares[:, :n], shares[:, n:].sum(dim=1, keepdim=True)], dim=1)


def loss_of_readout(out: Readout, shares: Tensor, factors: Tensor, kind: Tensor, is_person: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy on domain shares, squared error of factors in units of their spread, cross-entropy on kinds.

    Args:
        out: what the network says of N pictures.
        shares: ``[N, 15]``, rows sum to 1.
        factors: ``[N, F]``.
        kind: ``[N]``.
        is_person: ``[N]`` bool; factors and kinds of the others do not count.
    """
    domain = F.cross_entropy(out.domain_logits, shares)
    weight = is_person.float() / is_person.float().sum().clamp_min(1)
    factor = 12 * ((out.factors - factors).square().mean(dim=1) * weight).sum()  # 12: a uniform factor has variance 1/12
    kind = (F.cross_entropy(out.kinds_logits, kind, reduction="none") * weight).sum()
    numbers = {"domain": float(domain.detach()), "factor": float(factor.detach()), "kind": float(kind.detach())}
    return domain + 2 * factor + 0.3 * kind, numbers


def truth_of(pool: Pool, rows: Tensor, device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Shares with "none", factors, kinds and who is a person: what `loss_of_readout` compares with, for some rows."""
    factors = pool.factors(rows)
    truth = with_none(pool.shares(rows)), factors, kinds(factors), pool.flags(rows) != RUIN
    return tuple(t.to(device) for t in truth)


def begin_with(augment: Augment) -> Callable[[nn.Module, Phase, dict[str, Pool]], LossOfStep]:
    """The loss of a classifier's step, with one network's own disturbances."""

    def begin(model: nn.Module, phase: Phase, pools: dict[str, Pool]) -> LossOfStep:
        pool = pools["pool"]
        device = next(model.parameters()).device

        def loss_of(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            rows = pool.rows(step, phase.batch, phase.seed)
            images = augment(pool.images(rows), generator).contiguous(memory_format=torch.channels_last)
            return loss_of_readout(model(images.to(device)), *truth_of(pool, rows, device))

        return loss_of

    return begin


@torch.no_grad()
def read_all(model: nn.Module, images: Callable[[Tensor], Tensor], rows: Tensor, batch: int = 128) -> tuple[Tensor, Tensor, Tensor]:
    """Domain logits, factors and kind logits of many pictures."""
    device = next(model.parameters()).device
    parts = [model(images(r).to(device)) for r in rows.split(batch)]
    return tuple(torch.cat([getattr(p, name).cpu() for p in parts]) for name in ("domain_logits", "factors", "kinds_logits"))


def check(model: nn.Module, pools: dict[str, Pool]) -> dict[str, float]:
    """Scores on held-out pictures: domains of pure ones, "none" of ruins, kinds and factors of photos."""
    pool = pools["pool"]
    rows = pool.test
    logits, factors, kind_logits = read_all(model, pool.images, rows)
    flags, (two, _), true = pool.flags(rows), pool.classes(rows), pool.factors(rows)
    called, pure, ruin = logits.argmax(1), flags == FLAGS.index("pure"), flags == RUIN
    photo = pure & (two[:, 0] == 0)
    scores = {"domain accuracy": (called[pure] == two[pure, 0]).float().mean().item()}
    scores["none accuracy"] = (called[ruin] == len(DOMAINS)).float().mean().item()
    scores["kinds accuracy, photo"] = (kind_logits.argmax(1) == kinds(true))[photo].float().mean().item()
    spread = (true[photo] - true[photo].mean(0)).square().mean(0).clamp_min(1e-6)
    explained = 1 - (factors[photo] - true[photo]).square().mean(0) / spread
    return scores | {f"R2 {name}": value for name, value in zip(NAMES, explained.tolist())}
