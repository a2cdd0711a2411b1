"""How the world's latent mappers were trained: one for each of three texts, one phase each.

Patashnik et al. 2021, "StyleCLIP", Sec. 5: CLIP must see the text in the edited picture, the code must stay near, the picture
must stay alike. Alike is told by the critic here: the identity network judges the edits, so it takes no part. Published mappers
train with Ranger for 50,000 steps on inverted photos; here AdamW and samples of the generator do.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.clip.model import load_clip
from iplkit.edit.mapper import Mappers, save_mappers
from iplkit.edit.texts import text_feature
from iplkit.invert.perceptual import critic_perceptual
from iplkit.latents import sample_z
from iplkit.nets.critic import load_critic
from iplkit.stylegan2.checkpoints import load_generator
from iplkit.train.common import LossOfStep, OfModels, Phase

HIDDEN = 32  # width inside a level; published: 512
PSI = 0.7
TEXTS = {"happy": "happy face", "angry": "angry face", "long hair": "head with long hair"}
LEVELS = {"happy": ("coarse", "middle"), "angry": ("coarse", "middle"), "long hair": ("coarse", "middle")}
CARRIER = ("a photo of a {}",)  # published mappers read one sentence, no ensemble

Models = dict[str, nn.Module]


def models_of(cache: Path) -> Models:
    """Those that were just trained in a cache, else the shipped ones; frozen."""
    found = {}
    for name, load in (("generator", load_generator), ("clip", load_clip), ("critic", load_critic)):
        trained = Path(cache) / name / "final.safetensors"
        found[name] = (load(trained) if trained.is_file() else zoo.load(name)).eval().requires_grad_(False)
    return found


def build(models: Models) -> Mappers:
    """Untrained mappers of the world's generator."""
    generator = models["generator"]
    return Mappers(generator.num_ws, LEVELS, generator.config.w_dim, HIDDEN, seed=51)


def begin(models: Models, model: Mappers, phase: Phase, pools: dict) -> LossOfStep:
    """The loss of one text's phase."""
    generator, perceptual = models["generator"], critic_perceptual(models["critic"])
    mapper, text = model[phase.name], text_feature(models["clip"], TEXTS[phase.name], CARRIER)
    weights = phase.settings

    def loss_of(step: int, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        ws = generator.mapping(sample_z(phase.batch, rng, generator.config.z_dim), PSI)
        edited = mapper.edit(ws)
        images, before = (generator.synthesis(x, noise_mode="const") for x in (edited, ws))
        away = 1 - F.normalize(models["clip"].encode_image(images), dim=-1) @ text
        near, alike = (edited - ws).square().mean(), perceptual(images, before).mean()
        loss = weights["clip"] * away.mean() + weights["l2"] * near + weights["alike"] * alike
        return loss, {"away": float(away.mean().detach()), "near": float(near.detach()), "alike": float(alike.detach())}

    return loss_of


@torch.no_grad()
def check(models: Models, model: Mappers, pools: dict) -> dict[str, float]:
    """CLIP's cosine with each text on held-out people, before and after."""
    generator, clip = models["generator"], models["clip"]
    ws = generator.mapping(sample_z(64, torch.Generator().manual_seed(0), generator.config.z_dim), PSI)

    def cosine(codes: Tensor, text: Tensor) -> float:
        return float((F.normalize(clip.encode_image(generator.synthesis(codes, noise_mode="const")), dim=-1) @ text).mean())

    scores = {}
    for name, words in TEXTS.items():
        text = text_feature(clip, words, CARRIER)
        scores[f"cosine, {name}, before"] = cosine(ws, text)
        scores[f"cosine, {name}, after"] = cosine(model[name].edit(ws), text)
    return scores


HOW = {"clip": 1.0, "l2": 0.8, "alike": 0.1}
PHASES = tuple(Phase(name, steps=160, lr=0.5, seed=52 + k, batch=8, warmup=20, ema=0.98, weight_decay=0.0, settings=HOW) for k, name in enumerate(TEXTS))


RECIPE = OfModels("styleclip", PHASES, build, {}, begin, check, save_mappers, models_of)
