"""Methods: each a choice of plugs, its paper's settings, and nothing else.

A method of your own is one more function here and one more line in `METHODS`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from iplkit.adapt.anchors import image_anchor
from iplkit.adapt.directions import averaged_direction, prompt_direction
from iplkit.adapt.look import Look
from iplkit.adapt.loop import Plugs, run_loop
from iplkit.adapt.selectors import frozen, make_selector
from iplkit.adapt.settings import AdaptSettings
from iplkit.adapt.stage1 import TextSide, latent_pool, make_context, train_mapper
from iplkit.clip.prompts import PromptMapper, TEMPLATES, template_anchor
from iplkit.errors import UserError
from iplkit.stylegan2.differences import fingerprint as weights_hash

PUBLISHED = AdaptSettings(noise="independent", select_every=1, mapper_pool=9600)
PAPER = {
    # README of StyleGAN-NADA: all layers, batch 2, 300 steps, the last weights.
    "nada": replace(PUBLISHED, ema=0.0, selector="adaptive", rows_share=1.0, quirks={"selection_bare_word", "selection_off_by_one"}),
    # README of IPL: 12 of 18 rows, averaged weights. "adam_ages_unchosen" is what its torch 1.8 did.
    "ipl": replace(
        PUBLISHED,
        quirks={"base_without_class", "base_full_stop", "selection_bare_word", "selection_off_by_one"}
        | {"mapper_last_activation", "no_guard", "ema_ipl_only", "adam_ages_unchosen"},
    ),
}


@dataclass(frozen=True)
class Task:
    """What a method is given."""

    generator_source: nn.Module
    clip: nn.Module
    source: str
    target: str
    settings: AdaptSettings
    seed: int
    look: Look
    templates: tuple[str, ...]
    cache_dir: Path | None = None
    progress: bool = True


@dataclass(frozen=True)
class Recipe:
    """What a method gives back."""

    plugs: Plugs
    mapper: PromptMapper | None = None
    mapper_log: tuple[dict, ...] = ()


@dataclass(frozen=True)
class AdaptResult:
    """An adapted generator and how it came about."""

    generator: nn.Module
    log: list[dict]  # one row per step of the generator
    mapper: PromptMapper | None
    mapper_log: list[dict]
    settings: AdaptSettings
    method: str
    source: str
    target: str
    seed: int


def nada(task: Task) -> Recipe:
    """StyleGAN-NADA (Gal et al. 2022): one text direction for all images."""
    return Recipe(
        Plugs(
            direction=averaged_direction(task.clip, task.source, task.target, task.templates),
            anchor=image_anchor(task.look, task.generator_source),
            selector=make_selector(task.clip, task.target, task.settings, task.seed),
        )
    )


def ipl(task: Task) -> Recipe:
    """Image-specific prompt learning (Guo et al. 2023): a mapper writes one direction per image."""
    context = make_context(task.clip, task.source, task.target, task.settings)
    pool = latent_pool(task.generator_source, task.clip, task.settings.mapper_pool, task.seed, pool_file(task))
    anchors = tuple(template_anchor(task.clip, word, task.templates) for word in (task.source, task.target))
    mapper, log = train_mapper(task.clip, context, pool, anchors, task.settings, task.seed, task.progress)
    sides = [TextSide(task.clip, context, which, task.settings, stage=2) for which in ("source", "target")]
    return Recipe(
        Plugs(
            direction=prompt_direction(mapper, *sides),
            anchor=image_anchor(task.look, task.generator_source),
            selector=make_selector(task.clip, task.target, task.settings, task.seed),
        ),
        mapper,
        tuple(log),
    )


METHODS: dict[str, Callable[[Task], Recipe]] = {"nada": nada, "ipl": ipl}


def adapt(
    source_generator: nn.Module,
    clip: nn.Module,
    method: str,
    source: str,
    target: str,
    settings: AdaptSettings | None = None,
    seed: int = 0,
    resume_dir: str | Path | None = None,
    progress: bool = True,
    cache_dir: str | Path | None = None,
) -> AdaptResult:
    """Move a generator from one domain to another, told in words.

    The same arguments give the same weights, bit for bit, on one machine. Two methods with one seed
    see the same latents, pixel noise and views, so their results are paired.

    Args:
        source_generator: stays as it is.
        clip: stays as it is; needs its full token table for "ipl".
        method: a name in `METHODS`.
        source: word of the source domain, for example "photo".
        target: word of the target domain.
        settings: None takes `AdaptSettings.at("world", "laptop")`.
        seed: of every draw.
        resume_dir: folder for checkpoints. An interrupted run of the same arguments continues there.
        progress: show bars with the time left.
        cache_dir: folder for the pool of IPL's first stage, shared by all targets.

    Returns:
        The adapted generator (averaged weights, unless `settings.ema` is 0), logs, and the mapper, if any.

    Raises:
        UserError: unknown method, a word that CLIP never saw, or a folder that belongs to another run.
    """
    if method not in METHODS:
        raise UserError(f"method must be one of {sorted(METHODS)}; got {method!r}")
    settings = settings or AdaptSettings.at("world", "laptop")
    clip.tokenize([source, target])  # refuses unknown words before anything is computed
    with frozen(source_generator), frozen(clip):
        look = Look(clip, settings, seed)
        cache = None if cache_dir is None else Path(cache_dir)
        task = Task(source_generator, clip, source, target, settings, seed, look, known_templates(clip), cache, progress)
        key = run_key(task, method) if resume_dir is not None else ""
        recipe = METHODS[method](task)
        average = method == "ipl" or not settings.has("ema_ipl_only")
        generator, log = run_loop(
            source_generator,
            look,
            recipe.plugs,
            settings,
            seed,
            average=average,
            resume_dir=resume_dir,
            key=key,
            progress=progress,
        )
    return AdaptResult(generator, log, recipe.mapper, list(recipe.mapper_log), settings, method, source, target, seed)


def known_templates(clip: nn.Module) -> tuple[str, ...]:
    """The 79 templates less those with a word that this CLIP never saw.

    Raises:
        UserError: if none is left.
    """

    def known(template: str) -> bool:
        try:
            clip.tokenize([template.format("")])
        except UserError:
            return False
        return True

    templates = tuple(t for t in TEMPLATES if known(t))
    if not templates:
        raise UserError("a CLIP needs to know the words of at least one template; this one knows none")
    return templates


def run_key(task: Task, method: str) -> str:
    """What makes two runs the same: models, method, words, settings, seed."""
    record = {"method": method, "source": task.source, "target": task.target, "seed": task.seed}
    record |= {"generator": weights_hash(task.generator_source), "clip": weights_hash(task.clip)}
    settings = task.settings.record()
    settings.pop("save_every")  # decides when to write, not what
    return hashlib.sha256(json.dumps(record | settings, sort_keys=True).encode()).hexdigest()


def pool_file(task: Task) -> Path | None:
    """Where the pool of this generator, CLIP, size and seed is kept."""
    if task.cache_dir is None:
        return None
    record = [weights_hash(task.generator_source), weights_hash(task.clip), task.settings.mapper_pool, task.seed]
    return task.cache_dir / f"pool-{hashlib.sha256(json.dumps(record).encode()).hexdigest()[:16]}.safetensors"
