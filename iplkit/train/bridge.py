"""How the world's bridge was trained: pairs of a code and CLIP's feature of its picture, as many as wanted, no label.

*fit*: mean, directions of W and the ridge, in closed form, before the first step. *network*: squared error of whitened
codes. *cycle*: its code is drawn and looked at again, and CLIP must say the same of it; the code's error holds it on W.
*prior*: a diffusion. Generator and CLIP are frozen; judge, identity network and renderer take no part: they judge.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.clip.model import load_clip
from iplkit.edit.bridge import Bridge, BridgeConfig, save_bridge
from iplkit.edit.bridge_pairs import CHUNK, Pairs, features, fill, pictures, read_pairs
from iplkit.edit.bridge_prior import prior_loss
from iplkit.edit.bridge_simple import best_ridge
from iplkit.edit.bridge_whiten import explained
from iplkit.stylegan2.checkpoints import load_generator
from iplkit.train.common import LossOfStep, Phase, Recipe
from iplkit.weights import sha256

SEED = 71  # of the pairs
CHUNKS = 48
SMOKE_CHUNKS = 4
HELD = 2  # chunks that no step sees; they choose the ridge's strength and give the card's scores
CHECKED = 128  # of them, for scores that must draw
CODE = 0.15  # weight of the code's error in the cycle


@dataclass(frozen=True)
class Parts:
    """What a bridge is trained on.

    Args:
        generator, clip: frozen.
        train, held: pairs.
    """

    generator: nn.Module
    clip: nn.Module
    train: Pairs
    held: Pairs


def frozen(cache: Path) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """Generator and CLIP, just trained in a cache or else shipped, in the layout in which a CPU is fast; and their hashes."""
    models, hashes = {}, {}
    for name, load in (("generator", load_generator), ("clip", load_clip)):
        path = Path(cache) / name / "final.safetensors"
        path = path if path.is_file() else zoo.path_of(name)
        models[name] = load(path).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        hashes[name] = sha256(path)
    return models, hashes


def gather(cache: Path, chunks: int, log=print) -> Parts:
    """Make the pairs that are missing in ``cache/bridge-pairs`` and read them."""
    models, hashes = frozen(cache)
    folder = Path(cache) / "bridge-pairs"
    fill(folder, models["generator"], models["clip"], range(chunks), SEED, hashes, log)
    pairs = read_pairs(folder, models["generator"].mapping, range(chunks), SEED, hashes)
    held = HELD * CHUNK
    return Parts(models["generator"], models["clip"], pairs[:-held], pairs[-held:])


def build(parts: Parts, config: BridgeConfig | None = None) -> Bridge:
    """A bridge whose closed forms are solved and whose networks know nothing yet.

    Args:
        parts: models and pairs; any generator and any CLIP.
        config: sizes; None takes the widths from the pairs.
    """
    config = config or BridgeConfig(parts.train.e.shape[1], parts.train.w.shape[1])
    net = Bridge(config, seed=41)
    net.white.fit(parts.train.w), net.centre.fit(parts.train.e)
    known, held = ((net.centre(pairs.e), net.white(pairs.w)) for pairs in (parts.train, parts.held))
    line, _ = best_ridge(*known, *held)
    net.line.copy_(line)
    return net


def begin(parts: Parts, model: Bridge, phase: Phase, pools: dict) -> LossOfStep:
    """The loss of a phase by its name."""
    device = model.white.mean.device
    e, a = parts.train.e.to(device), model.white(parts.train.w.to(device))
    losses: dict[str, Callable[[Tensor, torch.Generator], tuple[Tensor, dict[str, float]]]] = {
        "network": lambda rows, rng: _network(model, a[rows], e[rows]),
        "cycle": lambda rows, rng: _cycle(parts, model, a[rows], e[rows]),
        "prior": lambda rows, rng: (prior_loss(model.prior, a[rows], e[rows], model.centre, rng), {}),
    }

    def loss_of(step: int, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return losses[phase.name](torch.randint(len(e), (phase.batch,), generator=rng).to(device), rng)

    return loss_of


def _network(model: Bridge, a: Tensor, e: Tensor) -> tuple[Tensor, dict[str, float]]:
    return (model.network(e) - a).square().mean(), {}


def _cycle(parts: Parts, model: Bridge, a: Tensor, e: Tensor) -> tuple[Tensor, dict[str, float]]:
    guess = model.network(e)
    ws = model.white.back(guess)[:, None].expand(-1, parts.generator.num_ws, -1)
    seen = parts.clip.encode_image(parts.generator.synthesis(ws, noise_mode="none").contiguous(memory_format=torch.channels_last))
    away, code = (1 - (F.normalize(seen.float(), dim=-1) * e).sum(1)).mean(), (guess - a).square().mean()
    return away + CODE * code, {"away": float(away.detach()), "code": float(code.detach())}


@torch.no_grad()
def check(parts: Parts, model: Bridge, pools: dict) -> dict[str, float]:
    """On held-out pairs: share of W's whitened variance that is explained, and CLIP's similarity of what is drawn."""
    e, a = parts.held.e, model.white(parts.held.w)
    scores, some = {}, e[:CHECKED]
    for tier in ("ridge", "network"):
        scores[f"explained, {tier}"] = explained(a, getattr(model, tier)(e))
        scores[f"similarity, {tier}"] = _alike(parts, model.w(some, tier), some)
    drawn = model.draw(some, 1, torch.Generator().manual_seed(0))[:, 0]
    rng = torch.Generator().manual_seed(1)
    scores["similarity, one draw"] = _alike(parts, drawn, some)
    return scores | {"loss, prior": float(prior_loss(model.prior, a, e, model.centre, rng))}


def _alike(parts: Parts, w: Tensor, e: Tensor) -> float:
    return float((features(parts.clip, pictures(parts.generator, w)) * e).sum(1).mean())


PHASES = (
    Phase("network", steps=1500, lr=2e-3, seed=42, batch=256, share=0.15),
    Phase("cycle", steps=500, lr=1e-3, seed=43, batch=16, share=0.5, ema=0.99, weight_decay=0.0),
    Phase("prior", steps=5000, lr=2e-3, seed=44, batch=256, share=0.35, ema=0.999),
)


@dataclass(frozen=True)
class OfPairs(Recipe):
    """A recipe whose functions also get models and pairs, made in the cache it runs in."""

    def train(self, cache: Path, **how) -> Path:
        """See `Recipe.train`."""
        parts = gather(Path(cache), CHUNKS if how.get("steps") is None else SMOKE_CHUNKS)
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        mine |= {name: partial(mine[name], parts) for name in ("build", "begin", "check")}
        return Recipe(**mine).train(cache, **how)


RECIPE = OfPairs("bridge", PHASES, build, {}, begin, check, save_bridge)
