"""Train the shipped StyleGAN2: a warm start on pairs, then adversarial training.

Three phases. *mapping*: w must hold the world's uniform numbers, linearly. *pairs*: the synthesis network learns to draw
the photo that belongs to each code (L1 on the picture, its gradients and, when there is one, the critic's features).
*adversarial*: a discriminator that has seen only photos sharpens what regression left soft (non-saturating loss, lazy R1,
style mixing, EMA); the pair loss stays on with a small weight.
"""

import copy
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.images import from_uint8
from iplkit.stylegan2.checkpoints import save_generator
from iplkit.stylegan2.discriminator import Discriminator, r1_penalty
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.train.people import Pool, uniform_of
from iplkit.weights import atomic_path
from iplkit.world.factors import NUM_FACTORS

CONFIG = GeneratorConfig(size=64, channels=(128, 128, 96, 48, 24), n_mlp=4)


@dataclass(frozen=True)
class Phase:
    """A named stretch of training."""

    name: str
    steps: int
    batch: int
    lr: float
    seed: int


RECIPE = (
    Phase("mapping", 2400, 1024, 0.2, 1),
    Phase("pairs", 6000, 32, 2.5e-3, 2),
    Phase("adversarial", 3000, 24, 1.5e-3, 3),
)


def differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical steps between neighboring pixels."""
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def pair_loss(fake: Tensor, real: Tensor, features=None) -> Tensor:
    """How far a drawn picture is from the one it should be.

    Args:
        fake, real: ``[N, 3, H, W]`` in [-1, 1].
        features: a function from images to a list of feature maps (the critic's), or None.
    """
    loss = F.l1_loss(fake, real) + sum(F.l1_loss(a, b) for a, b in zip(differences(fake), differences(real)))
    loss = loss + F.avg_pool2d(fake - real, 4).abs().mean()
    return loss if features is None else loss + 0.25 * feature_loss(fake, real, features)


def feature_loss(fake: Tensor, real: Tensor, features) -> Tensor:
    """L1 distance of feature maps, each map scaled to mean square 1 on the real pictures."""
    with torch.no_grad():
        wanted = [f.float() for f in features(real)]
        scales = [f.square().mean().sqrt().clamp_min(1e-4) for f in wanted]
    return sum(F.l1_loss(a.float() / s, b / s) for a, b, s in zip(features(fake), wanted, scales))


def critic_features(critic: nn.Module, layers=("stem", "stage1", "stage2", "stage3")):
    """The critic's named layers as a plain function; its weights stay as they are."""
    critic.eval().requires_grad_(False)

    def features(images: Tensor) -> list[Tensor]:
        named = critic.features(images)
        return [named[name] for name in layers]

    return features


@torch.no_grad()
def move_average(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Exponential moving average of parameters and floating buffers (g_ema)."""
    for a, b in zip(average.state_dict().values(), module.state_dict().values()):
        a.lerp_(b, 1 - decay) if a.is_floating_point() else a.copy_(b)


class Trainer:
    """State of one training: networks, optimizers, counters; saves itself and goes on where it stopped.

    Args:
        folder: where state and log live (ignored by git, may be lost).
        steps: run every phase for so many steps instead of the recipe's (CI uses 20).
        pool_size: how many pairs are drawn.
        critic: for the feature loss, or None.
    """

    PAIR_WEIGHT, R1_GAMMA, R1_EVERY, MIXING = 4.0, 2.0, 16, 0.3

    def __init__(self, folder, *, config=CONFIG, recipe=RECIPE, steps: int | None = None, pool_size: int = 38400, critic=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.recipe = [p if steps is None else Phase(p.name, steps, min(p.batch, 64), p.lr, p.seed) for p in recipe]
        self.net = Generator(config, seed=7).to(memory_format=torch.channels_last)
        self.readout = nn.Linear(config.w_dim, NUM_FACTORS)
        self.g_ema = copy.deepcopy(self.net).requires_grad_(False)
        self.d = Discriminator(config.size, config.channels, seed=8).to(memory_format=torch.channels_last)
        self.features = critic_features(critic) if critic is not None else None
        self.pool = Pool(self.folder.parent.parent / "photos", pool_size, config.size, 1)
        self.done: dict[str, int] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.seconds = 0.0

    def run(self, only: str | None = None, say=print) -> None:
        """All phases that are not finished, in order."""
        self.load()
        self.pool.fill()
        self.z, self.images = self.pool.load()
        for phase in self.recipe:
            if only in (None, phase.name):
                self._phase(phase, say)

    def _phase(self, phase: Phase, say) -> None:
        begin = self.done.get(phase.name, 0)
        if begin >= phase.steps:
            return
        getattr(self, f"_start_{phase.name}")(phase)
        step, log = getattr(self, f"_step_{phase.name}"), {}
        t0 = saved = time.time()
        for i in range(begin, phase.steps):
            self._set_rate(phase, i)
            for key, value in step(i, phase, torch.Generator().manual_seed(phase.seed * 1_000_003 + i)).items():
                log[key] = 0.97 * log.get(key, value) + 0.03 * value
            last = i + 1 == phase.steps
            if (i + 1) % 100 == 0 or last:
                self._report(phase, i + 1, log, (time.time() - t0) / (i + 1 - begin), say)
            if time.time() - saved > 120 or last:
                self.done[phase.name] = i + 1
                self.seconds += time.time() - saved
                self.save()
                saved = time.time()

    def _set_rate(self, phase: Phase, i: int) -> None:
        """Warm-up over 50 steps, then half a cosine down to 4 %."""
        rate = 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * i / phase.steps))
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = phase.lr * rate * min(1.0, (i + 1) / 50)

    def _report(self, phase: Phase, step: int, log: dict, pace: float, say) -> None:
        row = {"phase": phase.name, "step": step, **{k: round(v, 5) for k, v in log.items()}}
        say(f"{row}  {pace:.3f} s a step, {pace * (phase.steps - step) / 60:.1f} min left", flush=True)
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")

    # Phase 1: the mapping network

    def _start_mapping(self, phase: Phase) -> None:
        self.optimizers = {"mapping": torch.optim.Adam(self.net.mapping.parameters(), phase.lr, (0.9, 0.99))}
        self.readout_step = torch.optim.Adam(self.readout.parameters(), 3e-3)

    def _step_mapping(self, i: int, phase: Phase, g: torch.Generator) -> dict:
        z = torch.randn(phase.batch, self.config.z_dim, generator=g)
        w = self.net.mapping.w(z)
        error = F.mse_loss(self.readout(w), (uniform_of(z) - 0.5) * math.sqrt(12))  # 1 would be no knowledge at all
        self._descend("mapping", error + 1e-3 * w.square().mean(), also=self.readout_step)
        if i + 1 == phase.steps:
            self.net.mapping.estimate_w_avg(torch.Generator().manual_seed(0), 20000)
            self.g_ema.load_state_dict(self.net.state_dict())
        return {"error": error.item()}

    # Phase 2: pairs

    def _start_pairs(self, phase: Phase) -> None:
        self.optimizers = {"synthesis": torch.optim.Adam(self.net.synthesis.parameters(), phase.lr, (0.9, 0.99))}
        self._restore(phase.name)
        self._remember_w()

    def _remember_w(self) -> None:
        with torch.no_grad():
            self.w = torch.cat([self.net.mapping.w(z) for z in self.z.split(4096)])

    def _batch(self, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self.images), (n,), generator=g)
        real = from_uint8(self.images[rows]).contiguous(memory_format=torch.channels_last)
        return self.w[rows][:, None].repeat(1, self.config.num_ws, 1), real

    def _draw(self, ws: Tensor, mode: str, g: torch.Generator) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.net.synthesis(ws, mode, g)

    def _pair_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return pair_loss(fake, real, self.features)

    def _step_pairs(self, i: int, phase: Phase, g: torch.Generator) -> dict:
        ws, real = self._batch(phase.batch, g)
        fake = self._draw(ws, "none", g)
        loss = self._pair_loss(fake, real)
        self._descend("synthesis", loss)
        move_average(self.g_ema, self.net, min(0.998, (1 + i) / (10 + i)))
        return {"pairs": loss.item(), "l1": F.l1_loss(fake.detach(), real).item()}

    # Phase 3: adversarial

    def _start_adversarial(self, phase: Phase) -> None:
        rates = {"lr": phase.lr, "betas": (0.0, 0.99)}
        self.optimizers = {"synthesis": torch.optim.Adam(self.net.synthesis.parameters(), **rates)}
        self.optimizers["d"] = torch.optim.Adam(self.d.parameters(), **rates)
        self._restore(phase.name)
        self._remember_w()

    def _step_adversarial(self, i: int, phase: Phase, g: torch.Generator) -> dict:
        pure, real = self._batch(phase.batch, g)
        ws, mixed = pure, bool(torch.rand((), generator=g) < self.MIXING)
        if mixed:  # style mixing: the last rows come from another person
            cut = int(torch.randint(1, self.config.num_ws, (1,), generator=g))
            ws = torch.cat([pure[:, :cut], pure.roll(1, 0)[:, cut:]], 1)
        fake = self._draw(ws, "random", g)
        with torch.autocast("cpu", torch.bfloat16):
            adversarial = F.softplus(-self.d(fake).float()).mean()
        paired = fake.new_zeros(()) if mixed else self._pair_loss(fake, real)
        self._descend("synthesis", adversarial + self.PAIR_WEIGHT * paired)
        loss = self._discriminate(i, fake.detach(), real)
        move_average(self.g_ema, self.net, 0.998)
        return {"g": adversarial.item(), "d": loss} | ({} if mixed else {"pairs": paired.item()})

    def _discriminate(self, i: int, fake: Tensor, real: Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.softplus(self.d(fake).float()).mean() + F.softplus(-self.d(real).float()).mean()
        if i % self.R1_EVERY:
            self._descend("d", loss)
            return loss.item()
        some = real[: len(real) // 2].clone().requires_grad_(True)
        penalty = r1_penalty(self.d(some), some)
        self._descend("d", loss + 0.5 * self.R1_GAMMA * self.R1_EVERY * penalty)
        return loss.item()

    # Shared by the phases

    def _descend(self, name: str, loss: Tensor, also=None) -> None:
        if not bool(loss.isfinite()):
            raise FloatingPointError(f"the loss of {name} is not finite")
        both = [self.optimizers[name]] + ([also] if also is not None else [])
        for optimizer in both:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in both:
            optimizer.step()

    def _restore(self, phase: str) -> None:
        state = getattr(self, "_saved", {})
        if state.get("phase") == phase:
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])

    def save(self) -> None:
        """Write the whole state; a crash leaves the old one."""
        current = [p.name for p in self.recipe if p.name in self.done][-1]
        state = {k: getattr(self, k).state_dict() for k in ("net", "g_ema", "d", "readout")}
        state |= {"done": self.done, "phase": current, "seconds": self.seconds}
        state["optimizers"] = {n: o.state_dict() for n, o in self.optimizers.items()}
        with atomic_path(self.folder / "state.pt") as temporary:
            torch.save(state, temporary)

    def load(self) -> None:
        """Go on from the last state, if there is one."""
        path = self.folder / "state.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            for k in ("net", "g_ema", "d", "readout"):
                getattr(self, k).load_state_dict(state[k])
            self.done, self.seconds, self._saved = state["done"], state["seconds"], state

    def ship(self, path: Path, metadata: dict) -> None:
        """Write the averaged generator, fp16."""
        save_generator(path, self.g_ema.float(), metadata)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description="Train the shipped generator.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--only")
    parser.add_argument("--critic", help="a critic's safetensors, for the feature loss")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    critic = None
    if args.critic:
        from iplkit.nets.critic import load_critic

        critic = load_critic(args.critic)
    Trainer(".cache/train/generator", steps=args.steps, critic=critic).run(args.only)
