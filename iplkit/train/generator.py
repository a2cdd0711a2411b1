"""Train the shipped StyleGAN2: a warm start on pairs, then adversarial training.

Six phases. *mapping*: w must hold the world's uniform numbers, linearly. *pairs*: the synthesis network learns to draw
the photo that belongs to each code (L1 on the picture and its gradients). *details*: the same, and the critic's features
of the picture must agree too. The mapping network learns along, slowly. *adversarial*: discriminators sharpen what regression left soft (heads on the critic's features and on patches, hinge loss, style
mixing, EMA); the pair loss stays on with a smaller weight. *longer*: details again, from
the averaged weights, since thin frames and strands come last. *refine*: adversarial again, against new discriminators.
"""

import copy
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.images import from_uint8
from iplkit.nets.critic import load_critic
from iplkit.stylegan2.checkpoints import save_generator
from iplkit.stylegan2.generator import Generator, GeneratorConfig, Mapping
from iplkit.train.common import curve, move_average, processor
from iplkit.train.discriminators import Ensemble
from iplkit.train.people import Pool, codes, directions, uniform_of
from iplkit.weights import atomic_path
from iplkit.world.factors import NUM_FACTORS

MAPPING_SPEED = 5  # learning rate of the mapping network after its own phase, times that of synthesis
PAIR_WEIGHT, MIXING = 2.0, 0.3  # of the adversarial phase
CONFIG = GeneratorConfig(size=64, channels=(128, 128, 96, 48, 24), n_mlp=4)


@dataclass(frozen=True)
class Phase:
    """A named stretch of training."""

    name: str
    steps: int
    batch: int
    lr: float
    seed: int


PHASES = (
    Phase("mapping", 1200, 1024, 0.15, 1),
    Phase("pairs", 4000, 16, 2.5e-3, 2),
    Phase("details", 6400, 16, 2e-3, 3),
    Phase("adversarial", 7500, 16, 1.5e-3, 4),
    Phase("longer", 13000, 16, 2.5e-3, 6),
    Phase("refine", 5500, 16, 1.2e-3, 5),
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


class Trainer:
    """State of one training: networks, optimizers, counters; saves itself and goes on where it stopped.

    Args:
        cache: ignored folder in which pool, state and log live.
        steps: run every phase for so many steps instead of the recipe's (CI uses 20).
        pool_size: how many pairs are drawn.
        critic: for the feature loss, or None.
    """

    def __init__(self, cache: Path, *, config=CONFIG, recipe=PHASES, steps: int | None = None, pool_size: int = 38400, critic=None):
        self.folder = Path(cache) / "generator"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.recipe = [p if steps is None else Phase(p.name, steps, min(p.batch, 64), p.lr, p.seed) for p in recipe]
        self.net = Generator(config, seed=7).to(memory_format=torch.channels_last)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(6)
            self.readout = nn.Linear(config.w_dim, NUM_FACTORS)
        self.g_ema = copy.deepcopy(self.net).requires_grad_(False)
        self.features = critic_features(critic) if critic is not None else None
        self.d = Ensemble(config, self.features, seed=8).to(memory_format=torch.channels_last)
        self.pool = Pool(Path(cache) / "photos", pool_size, config.size, 1)
        self.done: dict[str, int] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.seconds: dict[str, float] = {}

    def run(self, only: str | None = None, say=print) -> None:
        """All phases that are not finished, in order."""
        self.load()
        for phase in self.recipe:
            if only in (None, phase.name):
                if phase.name != "mapping":
                    self.pool.fill(self._teacher())
                    self.z, self.images = self.pool.load()
                self._phase(phase, say)

    def _teacher(self) -> nn.Module:
        """The mapping network as its own phase left it: it says which person each code of the pool stands for."""
        path = self.folder / "teacher.pt"
        mapping = Mapping(self.config, torch.Generator().manual_seed(0))
        mapping.load_state_dict(torch.load(path, weights_only=True))
        return mapping

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
                self.seconds[phase.name] = self.seconds.get(phase.name, 0.0) + time.time() - saved
                self.save()
                saved = time.time()

    def _set_rate(self, phase: Phase, i: int) -> None:
        """Warm-up over 50 steps, then half a cosine down to 4 %."""
        rate = 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * i / phase.steps))
        for name, optimizer in self.optimizers.items():
            speed = MAPPING_SPEED if name == "mapping" and phase.name != "mapping" else 1
            for group in optimizer.param_groups:
                group["lr"] = phase.lr * speed * rate * min(1.0, (i + 1) / 50)

    def _report(self, phase: Phase, step: int, log: dict, pace: float, say) -> None:
        row = {"phase": phase.name, "step": step, **{k: round(v, 5) for k, v in log.items()}}
        say(f"{row}  {pace:.3f} s a step, {pace * (phase.steps - step) / 60:.1f} min left", flush=True)
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")

    # Phase 1: the mapping network

    def _start_mapping(self, phase: Phase) -> None:
        if self.done.get(phase.name, 0) == 0:
            self._show_directions()
        self.optimizers = {"mapping": torch.optim.Adam(self.net.mapping.parameters(), phase.lr, (0.9, 0.99))}
        self.readout_step = torch.optim.Adam(self.readout.parameters(), 3e-3)

    @torch.no_grad()
    def _show_directions(self) -> None:
        """Start the first layer from the 25 directions and their opposites, so that it need not search 512 dimensions."""
        first, p = self.net.mapping.layers[0], directions(self.config.z_dim).T
        first.weight.mul_(0.5)
        first.weight[: 2 * len(p)] = torch.cat([p, -p]) * math.sqrt(self.config.z_dim) / self.config.lr_mul

    @torch.no_grad()
    def _unit_spread(self) -> None:
        """Scale w to a standard deviation of 1: a leaky ReLU commutes with positive factors."""
        spread = self.net.mapping.w(codes(0, 4000, 2)).std(0).mean()
        last = self.net.mapping.layers[-1]
        last.weight.div_(spread), last.bias.div_(spread)

    def _step_mapping(self, i: int, phase: Phase, g: torch.Generator) -> dict:
        z = torch.randn(phase.batch, self.config.z_dim, generator=g)
        w = self.net.mapping.w(z)
        error = F.mse_loss(self.readout(w), (uniform_of(z) - 0.5) * math.sqrt(12))  # 1 would be no knowledge at all
        self._descend(error + 1e-3 * w.square().mean(), "mapping", also=self.readout_step)
        if i + 1 == phase.steps:
            self._unit_spread()
            self.net.mapping.estimate_w_avg(torch.Generator().manual_seed(0), 20000)
            self.g_ema.load_state_dict(self.net.state_dict())
            with atomic_path(self.folder / "teacher.pt") as temporary:
                torch.save(self.net.mapping.state_dict(), temporary)
        return {"error": error.item()}

    # Phase 2: pairs

    def _start_pairs(self, phase: Phase) -> None:
        self.optimizers = self._generator_optimizers(phase, (0.9, 0.99))
        self._restore(phase.name)

    def _generator_optimizers(self, phase: Phase, betas: tuple[float, float]) -> dict:
        nets = {"synthesis": self.net.synthesis, "mapping": self.net.mapping}
        return {name: torch.optim.Adam(net.parameters(), phase.lr, betas) for name, net in nets.items()}

    def _step_pairs(self, i: int, phase: Phase, g: torch.Generator) -> dict:
        rows, real = self._photos(phase.batch, g)
        fake = self._draw(self.net.mapping(self.z[rows]), "none", g)
        loss = self._pair_loss(fake, real, phase.name)
        self._descend(loss, "synthesis", "mapping")
        self._follow(0.998 if phase.name != "pairs" else min(0.998, (1 + i) / (10 + i)))
        return {"pairs": loss.item(), "l1": F.l1_loss(fake.detach(), real).item()}

    _start_details, _step_details = _start_pairs, _step_pairs

    def _start_longer(self, phase: Phase) -> None:
        if self.done.get(phase.name, 0) == 0:
            self.net.load_state_dict(self.g_ema.state_dict())
        self._start_pairs(phase)

    _step_longer = _step_pairs

    def _follow(self, decay: float) -> None:
        self.net.mapping.update_w_avg(self.net.mapping.w(self.z[:64]).detach())
        move_average(self.g_ema, self.net, decay)

    def _photos(self, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self.images), (n,), generator=g)
        return rows, from_uint8(self.images[rows]).contiguous(memory_format=torch.channels_last)

    def _draw(self, ws: Tensor, mode: str, g: torch.Generator) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.net.synthesis(ws, mode, g)

    def _pair_loss(self, fake: Tensor, real: Tensor, phase: str) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return pair_loss(fake, real, None if phase == "pairs" else self.features)

    # Phase 3: adversarial

    def _start_adversarial(self, phase: Phase) -> None:
        self.optimizers = self._generator_optimizers(phase, (0.0, 0.99))
        self.optimizers["d"] = torch.optim.Adam(self.d.parameters(), phase.lr, (0.0, 0.99))
        self.d.calibrate(from_uint8(self.images[:256]))
        self._restore(phase.name)

    def _start_refine(self, phase: Phase) -> None:
        if self.done.get(phase.name, 0) == 0:
            self.net.load_state_dict(self.g_ema.state_dict())
            self.d = Ensemble(self.config, self.features, seed=9).to(memory_format=torch.channels_last)
        self._start_adversarial(phase)

    def _step_adversarial(self, i: int, phase: Phase, g: torch.Generator) -> dict:
        rows, real = self._photos(phase.batch, g)
        ws, mixed = self.net.mapping(self.z[rows]), bool(torch.rand((), generator=g) < MIXING)
        if mixed:  # style mixing: the last rows come from another person
            cut = int(torch.randint(1, self.config.num_ws, (1,), generator=g))
            ws = torch.cat([ws[:, :cut], ws.roll(1, 0)[:, cut:]], 1)
        fake = self._draw(ws, "random", g)
        self.d.requires_grad_(False)
        adversarial = self.d.generator_loss(fake)
        paired = fake.new_zeros(()) if mixed else self._pair_loss(fake, real, phase.name)
        self._descend(adversarial + PAIR_WEIGHT * paired, "synthesis", "mapping")
        self.d.requires_grad_(True)
        rows, other = self._photos(phase.batch, g)
        loss = self.d.loss(fake.detach(), other)
        self._descend(loss, "d")
        self._follow(0.998)
        return {"g": adversarial.item(), "d": loss.item()} | ({} if mixed else {"pairs": paired.item()})

    _step_refine = _step_adversarial

    # Shared by the phases

    def _descend(self, loss: Tensor, *names: str, also=None) -> None:
        if not bool(loss.isfinite()):
            raise FloatingPointError(f"the loss of {names[0]} is not finite")
        chosen = [self.optimizers[name] for name in names] + ([also] if also is not None else [])
        for optimizer in chosen:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in chosen:
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

    def finish(self) -> Path:
        """Write the averaged generator and its card."""
        g_ema = self.g_ema.eval()
        with torch.no_grad():
            rows = slice(0, 256)
            fake = torch.cat([g_ema(z, noise_mode="const") for z in self.z[rows].split(64)])
        scores = {"pair_l1": F.l1_loss(fake, from_uint8(self.images[rows])).item()}
        phases = [asdict(p) | {"steps": self.done[p.name], "seconds": round(self.seconds.get(p.name, 0), 1)} for p in self.recipe]
        card = {"name": "generator", "license": "MIT", "parameters": sum(p.numel() for p in g_ema.parameters())}
        card |= {"data": {"photos": {"kind": "pairs of code and photo", "count": self.pool.n, "size": self.pool.size, "seed": self.pool.seed}}, "phases": phases}
        card |= {"device": processor(), "threads": torch.get_num_threads(), "hours": round(sum(self.seconds.values()) / 3600, 3)}
        card |= {"torch": torch.__version__, "scores": scores, "curve": curve(self.folder / "log.jsonl")}
        save_generator(self.folder / "final.safetensors", g_ema, {"card": {"name": "generator", "scores": scores}})
        with atomic_path(self.folder / "card.json") as temporary:
            temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        return self.folder / "final.safetensors"


class GeneratorRecipe:
    """The generator among the recipes of `iplkit.train.run`: its pool is drawn from latent codes, by itself."""

    name, pools = "generator", {}
    save = staticmethod(save_generator)

    def train(self, cache: Path, steps: int | None = None, minutes: float | None = None, device: str = "cpu", threads: int = 1) -> Path:
        """Run all phases in ``cache/generator``; the critic comes from the same cache, or from the package.

        Raises:
            UserError: if a time budget or another device is asked for: this training runs by steps, on a CPU.
        """
        if minutes is not None or device != "cpu":
            raise UserError(f"the generator trains by steps on a CPU; got minutes={minutes} and device={device!r}")
        torch.set_num_threads(threads)
        trained = Path(cache) / "critic" / "final.safetensors"
        critic = load_critic(trained) if trained.is_file() else zoo.load("critic")
        trainer = Trainer(cache, steps=steps, critic=critic, pool_size=38400 if steps is None else 512)
        trainer.run()
        return trainer.finish()


RECIPE = GeneratorRecipe()
