"""IPL's first stage: teach a mapper to write a prompt for each image (Guo et al. 2023, Sec. 3.2).

Latents and image features do not depend on the target domain. They are computed once per source
generator, as a pool; after that the training reads text only.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iplkit.adapt.draws import draw, draw_seed
from iplkit.adapt.mapper_checkpoint import MapperCheckpoint
from iplkit.adapt.parts import Parts, draw_in_parts
from iplkit.adapt.settings import MAPPERS, AdaptSettings
from iplkit.clip.prompts import PromptContext, PromptMapper, learned_text_features, learned_text_pair
from iplkit.clip.transformer_mapper import TransformerMapper
from iplkit.errors import UserError
from iplkit.latents import sample_z
from iplkit.losses import ipl_stage1_loss
from iplkit.stylegan2.differences import fingerprint
from iplkit.weights import read_weights, write_weights

POOL_BATCH = 32  # images drawn at a time


@dataclass(frozen=True)
class Pool:
    """Latents of the source generator and what CLIP sees in their images."""

    w: Tensor  # [P, 512]
    features: Tensor  # [P, E], not normalized
    made_for: dict[str, str] = field(default_factory=dict)  # fingerprints of "generator" and "clip"


@torch.no_grad()
def latent_pool(
    generator: nn.Module, clip: nn.Module, size: int, seed: int, cache: Path | None = None, parts: Parts | None = None
) -> Pool:
    """A pool of `size` latents with their image features; not truncated, fresh pixel noise.

    No target domain is named here: one pool serves them all.

    Args:
        generator: the source generator.
        clip: frozen CLIP.
        size: number of latents.
        seed: which ones.
        cache: a file to read the pool from, or to write it to. A pool of another size, seed, generator
            or CLIP that is found there is computed anew.
        parts: how many images at a time; None draws as many as a pool's batch has. The same pool up to rounding.
    """
    made_for = {"generator": fingerprint(generator), "clip": fingerprint(clip)}
    record = {"seed": seed, "size": size} | made_for
    if cache is not None and Path(cache).is_file():
        tensors, found = read_weights(cache)
        if all(found.get(name) == value for name, value in record.items()):
            device = next(generator.parameters()).device
            return Pool(tensors["w"].to(device), tensors["features"].to(device), made_for)
    device = next(generator.parameters()).device
    draws, w, features = draw(seed, "pool"), [], []
    for start in range(0, size, POOL_BATCH):
        z = sample_z(min(POOL_BATCH, size - start), draws, generator.config.z_dim)
        ws = generator.mapping(z.to(device))
        w.append(ws[:, 0])
        noise = generator.synthesis.draw_noise(len(ws), "random", draws)
        features.append(clip.encode_image(draw_in_parts(generator.synthesis, ws, noise, parts or Parts(POOL_BATCH))))
    pool = Pool(torch.cat(w), torch.cat(features), made_for)
    if cache is not None:
        write_weights(cache, {"w": pool.w, "features": pool.features}, record)
    return pool


def pool_path(folder: Path | None, generator: nn.Module, clip: nn.Module, size: int, seed: int) -> Path | None:
    """Where the pool of these models, this size and seed is kept, for all target domains; None without a folder."""
    if folder is None:
        return None
    record = [fingerprint(generator), fingerprint(clip), size, seed]
    return Path(folder) / f"pool-{hashlib.sha256(json.dumps(record).encode()).hexdigest()[:16]}.safetensors"


class TextSide:
    """From learned prompts to the text features of one domain, `[N, M, D]` -> `[N, E]`, not normalized.

    The feature of a manual sentence is added, as the published code does. It holds the learned
    prompt near the language; both are as long as CLIP makes them. `settings.base` "none" adds nothing.

    Args:
        clip: frozen CLIP.
        context: the sentences that the prompts are set into.
        which: "source" or "target".
        settings: for the quirks.
        stage: in stage 2 the quirk "base_without_class" drops the class word from the manual sentence.
    """

    def __init__(self, clip: nn.Module, context: PromptContext, which: str, settings: AdaptSettings, stage: int):
        self.clip, self.context, self.which = clip, context, which
        if stage == 2 and settings.has("base_without_class"):
            sentence = context.ctx_init
        else:
            sentence = context.sentence(which, full_stop=settings.has("base_full_stop"))
        self.sentence = "" if settings.base == "none" else sentence
        with torch.no_grad():
            base = clip.encode_text(clip.tokenize([sentence]))  # [1, E]
            self.base = base if self.sentence else torch.zeros_like(base)

    def learned(self, prompts: Tensor) -> Tensor:
        """The learned sentence alone, `[N, M, D]` -> `[N, E]`."""
        return learned_text_features(self.clip, prompts, self.context, self.which)

    def __call__(self, prompts: Tensor) -> Tensor:
        return self.learned(prompts) + self.base


def make_context(clip: nn.Module, source: str, target: str, settings: AdaptSettings) -> PromptContext:
    """The sentences of a run: the manual prompt, with either class word behind it."""
    return PromptContext(clip, settings.prompt, n_ctx=None, source=source, target=target)


def train_mapper(
    clip: nn.Module,
    context: PromptContext,
    pool: Pool,
    anchors: tuple[Tensor, Tensor],
    settings: AdaptSettings,
    seed: int,
    progress: bool = True,
    *,
    mapper: nn.Module | None = None,
    align: Callable[[Tensor], Tensor] | None = None,
    keep: MapperCheckpoint | None = None,
) -> tuple[nn.Module, list[dict]]:
    """Train a prompt mapper on a pool; CLIP reads text only.

    Loss = contrastive + lambda_domain * (domain + lambda_source * source + align), see `ipl_stage1_loss`.

    Args:
        clip: frozen CLIP with its full token table.
        context: the sentences (see `make_context`).
        pool: latents and image features of the source generator.
        anchors: mean template features of source and target, `[1, E]` each.
        settings: steps, batch, learning rate and weights of the loss.
        seed: of the mapper's start and of the batches.
        progress: show a bar with the time left.
        mapper: another one to train in place, for example a `TransformerMapper`; None is `new_mapper`.
        align: a further term, of the target's features with the manual sentence added, `[N, E]` -> scalar.
        keep: where an interrupted training goes on, and a trained mapper is found; None keeps nothing.

    Returns:
        The mapper, frozen, and one row per step: step, loss, contrastive, domain, source, seconds;
        and "align" if that term is given.

    Raises:
        UserError: if the pool is smaller than a batch, the mapper does not fit the context, the loss is no
            longer a number, or what was kept is damaged.
    """
    if len(pool.w) < settings.mapper_batch:
        raise UserError(f"mapper_batch needs a pool of at least {settings.mapper_batch} latents; got {len(pool.w)}")
    mapper = (new_mapper(clip, context, settings, seed, pool.w.shape[1]) if mapper is None else mapper).to(pool.w.device).train()
    if (mapper.n_ctx, mapper.width, mapper.w_dim) != (context.n_ctx, clip.text_width, pool.w.shape[1]):
        sizes = f"{context.n_ctx} vectors of width {clip.text_width} from codes of {pool.w.shape[1]} channels"
        raise UserError(f"mapper needs to write {sizes}; it writes {mapper.n_ctx} of {mapper.width} from {mapper.w_dim}")
    source, target = (TextSide(clip, context, which, settings, stage=1) for which in ("source", "target"))
    fused = pool.w.device.type in ("cpu", "cuda")  # one pass over the weights; the same update
    optimizer = torch.optim.Adam(mapper.parameters(), lr=settings.mapper_lr, fused=fused)
    log = [] if keep is None else keep.load(mapper, optimizer)
    total, done = settings.mapper_steps, len(log)
    for step in tqdm(range(done, total), initial=done, total=total, desc="mapper", unit="step", disable=not progress):
        began = time.perf_counter()
        chosen = torch.randperm(len(pool.w), generator=draw(seed, "mapper batch", step))[: settings.mapper_batch]
        with own_dropout(mapper, draw_seed(seed, "mapper dropout", step)):
            prompts = mapper(pool.w[chosen])  # [N, M, D]
        learned_source, learned = learned_text_pair(clip, prompts, context)  # [N, E] each
        loss, parts = ipl_stage1_loss(
            pool.features[chosen],
            learned_source,
            learned,
            source.base,
            target.base,
            *anchors,
            scale=clip.logit_scale.detach().exp(),
            lambda_l=settings.lambda_domain,
            lambda_src=settings.lambda_source,
        )
        if align is not None:
            parts["align"] = align(learned + target.base)
            loss = loss + settings.lambda_domain * parts["align"]
        if not math.isfinite(float(loss.detach())):
            raise UserError(f"stage 1 needs a loss that is a number; at step {step + 1} it is {float(loss.detach())}, lower mapper_lr")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        row = {"step": step + 1, "loss": float(loss.detach())} | {name: float(part.detach()) for name, part in parts.items()}
        log.append(row | {"seconds": round(time.perf_counter() - began, 4)})
        if keep is not None:
            keep.save(mapper, optimizer, log, total)
    mapper.made_for = pool.made_for | context_record(context)
    return mapper.requires_grad_(False).eval(), log


def context_record(context: PromptContext) -> dict[str, str]:
    """What a mapper remembers of its sentences: the manual prompt and both class words."""
    return {"prompt": context.ctx_init or " ".join(["X"] * context.n_ctx), "source": context.source, "target": context.target}


@contextmanager
def own_dropout(mapper: nn.Module, seed: int) -> Iterator[None]:
    """Inside the block, dropout of a mapper draws from its own seed; other randomness stays as it was."""
    if not any(isinstance(module, nn.Dropout) for module in mapper.modules()):
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def new_mapper(clip: nn.Module, context: PromptContext, settings: AdaptSettings, seed: int, w_dim: int = 512) -> nn.Module:
    """An untrained mapper of the right sizes and of the kind that `settings.mapper` names, for latent codes of `w_dim` channels."""
    sizes = {"width": clip.text_width, "n_ctx": context.n_ctx, "w_dim": w_dim, "seed": draw_seed(seed, "mapper")}
    sizes["last_activation"] = settings.has("mapper_last_activation")
    layout = MAPPERS[settings.mapper]
    return PromptMapper(**sizes) if layout is None else TransformerMapper(layout=layout, **sizes)
