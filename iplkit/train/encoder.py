"""How the world's encoder was trained: first samples of the generator, whose codes are known, then photos of the world too.

*codes*: the encoder must say the code of a sample, and the sample must come out again. *photos*: half of each batch are
renders of the world, which have no code; the picture alone must come out, through the frozen generator. *free*: e4e's
penalty on the offsets is lifted, so that the far end of the knob is pSp's. In all phases the encoder meets its own running
renders (ReStyle), and a third of the batch stops somewhere on the way from W to W+, so that every stop is a good one. The identity network takes no part: it judges the encoder.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.invert.encode import Code, encode
from iplkit.invert.perceptual import Perceptual, critic_perceptual
from iplkit.invert.result import decibels
from iplkit.latents import mix, sample_z
from iplkit.nets.critic import load_critic
from iplkit.nets.encoder import Encoder, save_encoder
from iplkit.stylegan2.checkpoints import load_generator
from iplkit.train.common import LossOfStep, OfModels, Phase
from iplkit.train.pool import FLAGS, Pool, PoolSettings

MIXED = 0.3  # of the samples, their last rows come from another person
WEIGHTS = {"picture": 10.0, "perceptual": 0.3, "code": 0.3}


Models = dict[str, nn.Module]  # "generator" and "critic", frozen


def models_of(cache: Path) -> Models:
    """Those that were just trained in a cache, else the shipped ones."""
    found = {}
    for name, load in (("generator", load_generator), ("critic", load_critic)):
        trained = Path(cache) / name / "final.safetensors"
        found[name] = (load(trained) if trained.is_file() else zoo.load(name)).eval().requires_grad_(False)
    return found


def build(models: Models) -> Encoder:
    """Untrained, with the generator's own directions of W."""
    net = Encoder(seed=17)
    net.fit_basis(models["generator"].mapping)
    return net


@torch.no_grad()
def samples(generator: nn.Module, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Codes ``[n, R, D]``, some with mixed rows, and what they draw without noise."""
    ws = generator.mapping(sample_z(n, rng, generator.config.z_dim))
    mixed = round(MIXED * n)
    cut = int(torch.randint(1, generator.num_ws, (), generator=rng))
    ws = torch.cat([mix(ws[:mixed], ws[:mixed].roll(1, 0), cut), ws[mixed:]]) if mixed else ws
    return ws, generator.synthesis(ws, noise_mode="none")


def photo_rows(pool: Pool, rows: Tensor) -> Tensor:
    """Those of some rows of a pool that are plain photos."""
    two, _ = pool.classes(rows)
    return rows[(pool.flags(rows) == FLAGS.index("pure")) & (two == 0).all(dim=1)]


def photos(pools: list[Pool], rows: list[Tensor], n: int, rng: torch.Generator) -> Tensor:
    """Photos drawn evenly from all pools, ``[n, 3, S, S]``."""
    which = torch.randint(sum(map(len, rows)), (n,), generator=rng)
    first = len(rows[0])
    parts = [pools[0].images(rows[0][which[which < first]])]
    parts += [pools[1].images(rows[1][which[which >= first] - first])] if len(rows) > 1 else []
    return torch.cat(parts)


def picture_loss(made: Tensor, images: Tensor, perceptual: Perceptual, target) -> tuple[Tensor, dict[str, float]]:
    """Squared difference of the picture and of the critic's layers."""
    square = (made - images).square().mean()
    seen = perceptual.distance(made, target).mean()
    numbers = {"mse": float(square.detach()), "perceptual": float(seen.detach())}
    return WEIGHTS["picture"] * square + WEIGHTS["perceptual"] * seen, numbers


def length(offsets: Tensor) -> Tensor:
    """e4e's penalty: the lengths of the rows' offsets, summed over rows, mean over pictures."""
    return (offsets.square().sum(-1) + 1e-8).sqrt().sum(1).mean()


def begin(models: Models, model: nn.Module, phase: Phase, pools: dict[str, Pool]) -> LossOfStep:
    """Phase settings: share of photos, passes with gradients, passes before them (at most), weight of the offsets."""
    device = next(model.parameters()).device
    generator, critic = (models[name].to(device).to(memory_format=torch.channels_last) for name in ("generator", "critic"))
    perceptual = critic_perceptual(critic)
    sources = [pools["pool"], pools["pairs"]]
    rows = [photo_rows(pool, pool.train) for pool in sources]
    wanted = phase.settings

    def draw(code: Code, reach: Tensor) -> Tensor:
        return generator.synthesis(code.ws(reach), noise_mode="none")

    def loss_of(step: int, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        n = phase.batch - round(wanted["photos"] * phase.batch)  # samples; their codes are known
        ws, images = samples(generator, n, rng)
        images = torch.cat([images.float(), photos(sources, rows, phase.batch - n, rng)]) if n < phase.batch else images.float()
        images = images.to(device).contiguous(memory_format=torch.channels_last)
        reach = torch.where(torch.rand(phase.batch, generator=rng) < 1 / 3, torch.rand(phase.batch, generator=rng), 1.0).to(device)
        before = int(torch.randint(0, wanted["before"] + 1, (), generator=rng))
        code, target = Code.middle(generator.mapping, phase.batch), perceptual.target(images)
        with torch.no_grad():
            made = draw(code, reach)
            for _ in range(before):
                code = code.plus(model(images, made))
                made = draw(code, reach)
        loss, numbers = 0.0, {}
        for _ in range(wanted["passes"]):
            code = code.plus(model(images, made.detach()))
            made = draw(code, reach)
            part, numbers = picture_loss(made, images, perceptual, target)
            known = (code.ws(reach)[:n] - ws).square().mean()
            offset = length(code.offsets)
            loss = loss + part + WEIGHTS["code"] * known * (n / phase.batch) + wanted["offsets"] * offset
            numbers |= {"code": float(known.detach()), "offset": float(offset.detach()) / (generator.num_ws - 1)}
            code = code.detach()
        return loss / wanted["passes"], numbers

    return loss_of


@torch.no_grad()
def check(models: Models, model: nn.Module, pools: dict[str, Pool]) -> dict[str, float]:
    """PSNR of held-out photos after one pass, after five, and after five that stay in W; of samples after five."""
    generator, pool = models["generator"].to(next(model.parameters()).device), pools["pool"]
    photo = pool.images(photo_rows(pool, pool.test))[:256]
    drawn = samples(generator, 64, torch.Generator().manual_seed(0))[1]

    def score(images: Tensor, passes: int, reach: float) -> float:
        made = generator.synthesis(encode(images, model, generator, passes, reach)[-1], noise_mode="none")
        return decibels(made, images).mean().item()

    scores = {"dB, photos, 1 pass": score(photo, 1, 1.0), "dB, photos, 5 passes": score(photo, 5, 1.0)}
    return scores | {"dB, photos, 5 passes in W": score(photo, 5, 0.0), "dB, samples, 5 passes": score(drawn, 5, 1.0)}


PHASES = (
    Phase("codes", steps=1500, lr=2e-3, seed=31, batch=16, share=0.2, settings={"photos": 0.0, "passes": 2, "before": 0, "offsets": 1e-3}),
    Phase("photos", steps=4000, lr=1.5e-3, seed=32, batch=16, share=0.5, settings={"photos": 0.6, "passes": 2, "before": 3, "offsets": 1e-3}),
    Phase("free", steps=2000, lr=1e-3, seed=33, batch=16, share=0.3, settings={"photos": 0.6, "passes": 2, "before": 3, "offsets": 0.0}),
)
POOLS = {"pool": PoolSettings(), "pairs": PoolSettings(16 * 1024, kind="pairs", seed=1)}


RECIPE = OfModels("encoder", PHASES, build, POOLS, begin, check, save_encoder, models_of)
