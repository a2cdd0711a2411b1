"""How the world's bridge was trained: pairs of a code and CLIP's feature of its picture, as many as wanted, no label.

*fit*: mean, directions of W and the ridge, in closed form, before the first step. *network*: squared error of whitened
codes; most of a code shows in no picture. *picture*: so its code is drawn, and pixels, the critic and CLIP compare that with what
the true code draws. *prior*: a diffusion. Generator, critic and CLIP are frozen; judge, identity network and renderer take
no part, not even in a choice of settings: they judge.
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
from iplkit.invert.perceptual import Perceptual, critic_perceptual
from iplkit.nets.critic import load_critic
from iplkit.stylegan2.checkpoints import load_generator
from iplkit.train.common import LossOfStep, Phase, Recipe
from iplkit.weights import sha256

SEED = 71  # of the pairs
CHUNKS = 48
SMOKE_CHUNKS = 4
HELD = 2  # chunks that no step sees; they choose the ridge's strength and give the card's scores
CHECKED = 128  # of them, for scores that must draw
WEIGHTS = {"away": 1.0, "pixels": 2.0, "critic": 0.3, "code": 0.05}  # of what the picture says, and of the code's error beside it


@dataclass(frozen=True)
class Parts:
    """What a bridge is trained on.

    Args:
        generator, clip: frozen.
        perceptual: distance in the critic's layers.
        train, held: pairs.
    """

    generator: nn.Module
    clip: nn.Module
    perceptual: Perceptual
    train: Pairs
    held: Pairs

    def drawn(self, w: Tensor) -> Tensor:
        """What codes draw, with gradients, ``[N, D]`` -> ``[N, 3, S, S]``."""
        ws = w[:, None].expand(-1, self.generator.num_ws, -1)
        return self.generator.synthesis(ws, noise_mode="none").float().contiguous(memory_format=torch.channels_last)


def frozen(cache: Path) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """Generator and CLIP in the layout in which a CPU is fast, and the hashes that the pairs stand on."""
    models, hashes = {}, {}
    for name, load in (("generator", load_generator), ("clip", load_clip)):
        path = trained(cache, name)
        models[name] = load(path).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        hashes[name] = sha256(path)
    return models, hashes


def trained(cache: Path, name: str) -> Path:
    """The file of a model: just trained in a cache, or else shipped."""
    path = Path(cache) / name / "final.safetensors"
    return path if path.is_file() else zoo.path_of(name)


def gather(cache: Path, chunks: int, log=print) -> Parts:
    """Make the pairs that are missing in ``cache/bridge-pairs`` and read them."""
    models, hashes = frozen(cache)
    folder = Path(cache) / "bridge-pairs"
    fill(folder, models["generator"], models["clip"], range(chunks), SEED, hashes, log)
    pairs = read_pairs(folder, models["generator"].mapping, range(chunks), SEED, hashes)
    held = HELD * CHUNK
    critic = load_critic(trained(cache, "critic")).to(memory_format=torch.channels_last)
    return Parts(models["generator"], models["clip"], critic_perceptual(critic), pairs[:-held], pairs[-held:])


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
        "picture": lambda rows, rng: _picture(parts, model, a[rows], parts.train[rows.cpu()]),
        "prior": lambda rows, rng: (prior_loss(model.prior, a[rows], e[rows], model.centre, rng), {}),
    }

    def loss_of(step: int, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return losses[phase.name](torch.randint(len(e), (phase.batch,), generator=rng).to(device), rng)

    return loss_of


def _network(model: Bridge, a: Tensor, e: Tensor) -> tuple[Tensor, dict[str, float]]:
    return (model.network(e) - a).square().mean(), {}


def _picture(parts: Parts, model: Bridge, a: Tensor, pairs: Pairs) -> tuple[Tensor, dict[str, float]]:
    w, e = pairs.w.to(a.device), pairs.e.to(a.device)
    with torch.no_grad():
        truth = parts.drawn(w)
    guess = model.network(e)
    made = parts.drawn(model.white.back(guess))
    seen = F.normalize(parts.clip.encode_image(made).float(), dim=-1)
    terms = {"away": (1 - (seen * e).sum(1)).mean(), "pixels": (made - truth).square().mean()}
    terms |= {"critic": parts.perceptual(made, truth).mean(), "code": (guess - a).square().mean()}
    return sum(WEIGHTS[name] * term for name, term in terms.items()), {name: float(term.detach()) for name, term in terms.items()}


@torch.no_grad()
def check(parts: Parts, model: Bridge, pools: dict) -> dict[str, float]:
    """On held-out pairs: share of W's whitened variance that is explained; CLIP's similarity of what is drawn, and the critic's distance."""
    e, a = parts.held.e, model.white(parts.held.w)
    scores, some, truth = {}, e[:CHECKED], pictures(parts.generator, parts.held.w[:CHECKED])
    drawn = {tier: model.w(some, tier) for tier in ("ridge", "network")}
    scores |= {f"explained, {tier}": explained(a, getattr(model, tier)(e)) for tier in drawn}
    drawn["one draw"] = model.draw(some, 1, torch.Generator().manual_seed(0))[:, 0]
    for name, w in drawn.items():
        images = pictures(parts.generator, w)
        scores[f"similarity, {name}"] = float((features(parts.clip, images) * some).sum(1).mean())
        scores[f"critic's distance, {name}"] = float(parts.perceptual(images, truth).mean())
    return scores | {"loss, prior": float(prior_loss(model.prior, a, e, model.centre, torch.Generator().manual_seed(1)))}


PHASES = (
    Phase("network", steps=600, lr=2e-3, seed=42, batch=256, share=0.03),  # more steps learn the pairs by heart
    Phase("picture", steps=3500, lr=1e-3, seed=43, batch=16, share=0.87, ema=0.995, weight_decay=0.0),
    Phase("prior", steps=5000, lr=2e-3, seed=44, batch=256, share=0.1, ema=0.999),
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
