"""IPL's first stage: teach a mapper to write a prompt for each image (Guo et al. 2023, Sec. 3.2).

Latents and image features do not depend on the target domain. They are computed once per source
generator, as a pool; after that the training reads text only.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iplkit.adapt.draws import draw, draw_seed
from iplkit.adapt.settings import AdaptSettings
from iplkit.clip.prompts import PromptContext, PromptMapper, learned_text_features
from iplkit.errors import UserError
from iplkit.latents import sample_z
from iplkit.losses import ipl_stage1_loss
from iplkit.weights import read_weights, write_weights

POOL_BATCH = 32  # images drawn at a time


@dataclass(frozen=True)
class Pool:
    """Latents of the source generator and what CLIP sees in their images."""

    w: Tensor  # [P, 512]
    features: Tensor  # [P, E], not normalized


@torch.no_grad()
def latent_pool(generator: nn.Module, clip: nn.Module, size: int, seed: int, cache: Path | None = None) -> Pool:
    """A pool of `size` latents with their image features; not truncated, fresh pixel noise.

    Args:
        generator: the source generator.
        clip: frozen CLIP.
        size: number of latents.
        seed: which ones.
        cache: a file to read the pool from, or to write it to. The caller answers for its name.
    """
    if cache is not None and Path(cache).is_file():
        tensors, _ = read_weights(cache)
        return Pool(tensors["w"], tensors["features"])
    device = next(generator.parameters()).device
    draws, w, features = draw(seed, "pool"), [], []
    for start in range(0, size, POOL_BATCH):
        z = sample_z(min(POOL_BATCH, size - start), draws, generator.config.z_dim)
        ws = generator.mapping(z.to(device))
        w.append(ws[:, 0])
        features.append(clip.encode_image(generator.synthesis(ws, noise_mode="random", generator=draws)))
    pool = Pool(torch.cat(w), torch.cat(features))
    if cache is not None:
        write_weights(cache, {"w": pool.w, "features": pool.features}, {"seed": seed})
    return pool


class TextSide:
    """From learned prompts to the text features of one domain, `[N, M, D]` -> `[N, E]`, not normalized.

    The feature of a manual sentence is added, as the published code does. It holds the learned
    prompt near the language; both are as long as CLIP makes them.

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
        self.sentence = sentence
        with torch.no_grad():
            self.base = clip.encode_text(clip.tokenize([sentence]))  # [1, E]

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
) -> tuple[PromptMapper, list[dict]]:
    """Train a prompt mapper on a pool; CLIP reads text only.

    Args:
        clip: frozen CLIP with its full token table.
        context: the sentences (see `make_context`).
        pool: latents and image features of the source generator.
        anchors: mean template features of source and target, `[1, E]` each.
        settings: steps, batch, learning rate and weights of the loss.
        seed: of the mapper's start and of the batches.
        progress: show a bar with the time left.

    Returns:
        The mapper, frozen, and one row per step: step, loss, contrastive, domain, source, seconds.

    Raises:
        UserError: if the pool is smaller than a batch.
    """
    if len(pool.w) < settings.mapper_batch:
        raise UserError(f"mapper_batch needs a pool of at least {settings.mapper_batch} latents; got {len(pool.w)}")
    mapper = new_mapper(clip, context, settings, seed).to(pool.w.device)
    source, target = (TextSide(clip, context, which, settings, stage=1) for which in ("source", "target"))
    optimizer = torch.optim.Adam(mapper.parameters(), lr=settings.mapper_lr)
    log = []
    for step in tqdm(range(settings.mapper_steps), desc="mapper", unit="step", disable=not progress):
        began = time.perf_counter()
        chosen = torch.randperm(len(pool.w), generator=draw(seed, "mapper batch", step))[: settings.mapper_batch]
        prompts = mapper(pool.w[chosen])  # [N, M, D]
        loss, parts = ipl_stage1_loss(
            pool.features[chosen],
            source.learned(prompts),
            target.learned(prompts),
            source.base,
            target.base,
            *anchors,
            scale=clip.logit_scale.detach().exp(),
            lambda_l=settings.lambda_domain,
            lambda_src=settings.lambda_source,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        row = {"step": step + 1, "loss": float(loss.detach())} | {name: float(part) for name, part in parts.items()}
        log.append(row | {"seconds": round(time.perf_counter() - began, 4)})
    return mapper.requires_grad_(False).eval(), log


def new_mapper(clip: nn.Module, context: PromptContext, settings: AdaptSettings, seed: int) -> PromptMapper:
    """An untrained mapper of the right sizes."""
    return PromptMapper(
        width=clip.text_width,
        n_ctx=context.n_ctx,
        last_activation=settings.has("mapper_last_activation"),
        seed=draw_seed(seed, "mapper"),
    )
