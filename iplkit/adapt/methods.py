"""Methods: each a choice of plugs, its paper's settings, and nothing else.

A method of your own is one more function here and one more line in `METHODS`.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.adapt.alignment import alignment_term
from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.checkpoints import read_page
from iplkit.adapt.cost import lean_settings
from iplkit.adapt.directions import averaged_direction, prompt_direction
from iplkit.adapt.domain_modulation import domain_modulation
from iplkit.adapt.look import Look
from iplkit.adapt.loop import Eye, Plugs, run_loop
from iplkit.adapt.mapper_checkpoint import MapperCheckpoint
from iplkit.adapt.mixture import mix
from iplkit.adapt.moments import moments
from iplkit.adapt.parts import Parts
from iplkit.adapt.prompt_lists import check_prompts, prompts_of, readable
from iplkit.adapt.refinement import air
from iplkit.adapt.selectors import frozen, make_selector, rows_to_free
from iplkit.adapt.settings import AdaptSettings
from iplkit.adapt.stage1 import TextSide, latent_pool, make_context, pool_path, train_mapper
from iplkit.adapt.style_shift import style_shift
from iplkit.adapt.task import Recipe, Task
from iplkit.adapt.terms import terms
from iplkit.clip.prompts import PromptMapper, TEMPLATES, template_anchor
from iplkit.errors import UserError
from iplkit.stylegan2.differences import fingerprint as weights_hash

PUBLISHED = AdaptSettings(noise="independent", select_every=1, mapper_pool=9600)
ALL_ROWS = replace(PUBLISHED, ema=0.0, selector="all")
PAPER = {
    # README of StyleGAN-NADA: all layers, batch 2, 300 steps, the last weights.
    "nada": replace(
        PUBLISHED,
        ema=0.0,
        rows_share=1.0,
        quirks={"selection_bare_word", "selection_off_by_one", "no_guard", "reencode_equal"},
    ),
    # README of IPL: 12 of 18 rows, averaged weights. "adam_ages_unchosen" is what its torch 1.8 did.
    "ipl": replace(
        PUBLISHED,
        quirks={"base_without_class", "base_full_stop", "selection_bare_word", "selection_off_by_one"}
        | {"mapper_last_activation", "no_guard", "ema_ipl_only", "adam_ages_unchosen"},
    ),
    # StyleDomain, Sec. 5: "default configurations" of the method whose weights it replaces; here NADA's.
    "style_shift": ALL_ROWS,
    # HyperDomainNet, configs/td_single_ffhq.yaml: Adam (0.9, 0.999) at 0.1, batch 4, mixing 0.9. Its second CLIP is a second `clip`.
    "domain_modulation": replace(ALL_ROWS, lr=0.1, beta1=0.9, beta2=0.999, batch=4, mixing=0.9),
    # Jeon et al. publish no code; batch 4, because 2 images hardly have a covariance. The rest is NADA's.
    "moments": replace(ALL_ROWS, batch=4),
    # AIR, adaptation.sh, human to baby: 201 steps, k = 18 of 18, an anchor every 20 steps from step 100 on.
    "air": replace(ALL_ROWS, steps=201, anchor_start=100, anchor_every=20),
    # UniHDA starts from NADA's settings.
    "mix": ALL_ROWS,
}
PAPER["ipl_star"] = PAPER["ipl"]  # the thesis changed the first stage only


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
    """StyleGAN-NADA (Gal et al. 2022; arXiv 2108.00946): one text direction for all images."""
    return Recipe(
        Plugs(
            direction=averaged_direction(task.clip, task.source, task.target, task.templates),
            anchor=source_anchor(task),
            selector=make_selector(task.clip, task.target, task.settings, task.seed, task.more),
        )
    )


def ipl(task: Task, align: Callable[[Tensor], Tensor] | None = None) -> Recipe:
    """Image-specific prompt learning (Guo et al. 2023; arXiv 2304.03119): a mapper writes one direction per image.

    Args:
        task: what a method is given.
        align: a further term of the first stage, as `train_mapper` takes it.
    """
    context = make_context(task.clip, task.source, task.target, task.settings)
    models = (task.generator_source, task.clip, task.settings.mapper_pool, task.seed)
    pool = latent_pool(*models, cache=pool_path(task.cache_dir, *models), parts=task.parts)
    anchors = tuple(template_anchor(task.clip, word, task.templates) for word in (task.source, task.target))
    mapper, log = train_mapper(task.clip, context, pool, anchors, task.settings, task.seed, task.progress, align=align, keep=task.keep)
    sides = [TextSide(task.clip, context, which, task.settings, stage=2) for which in ("source", "target")]
    return Recipe(
        Plugs(
            direction=prompt_direction(mapper, *sides),
            anchor=source_anchor(task),
            selector=make_selector(task.clip, task.target, task.settings, task.seed, task.more),
        ),
        mapper,
        tuple(log),
    )


def ipl_star(task: Task) -> Recipe:
    """IPL with prompt alignment in its first stage (the thesis' improved version); the second stage is IPL's."""
    return ipl(task, alignment_term(task))


METHODS: dict[str, Callable[[Task], Recipe]] = {
    "nada": nada,
    "ipl": ipl,
    "ipl_star": ipl_star,
    "style_shift": style_shift,
    "domain_modulation": domain_modulation,
    "moments": moments,
    "air": air,
    "mix": mix,
}


def adapt(
    source_generator: nn.Module,
    clip: nn.Module | Sequence[nn.Module],
    method: str,
    source: str,
    target: str,
    settings: AdaptSettings | None = None,
    seed: int = 0,
    resume_dir: str | Path | None = None,
    progress: bool = True,
    cache_dir: str | Path | None = None,
    parts: Parts | None = None,
    compile_with: str | Callable | None = None,
) -> AdaptResult:
    """Move a generator from one domain to another, told in words.

    The same arguments give the same weights, bit for bit, on one machine. Two methods with one seed
    see the same latents, pixel noise and views, so their results are paired.

    Args:
        source_generator: stays as it is.
        clip: stays as it is; needs its full token table for "ipl". Several are added with `settings.clip_weights`;
            each has its own directions and its own mapper.
        method: a name in `METHODS`.
        source: word of the source domain, for example "photo".
        target: word of the target domain.
        settings: None takes `AdaptSettings.at("world", "laptop")`.
        seed: of every draw.
        resume_dir: folder for checkpoints of both stages. An interrupted run of the same arguments continues there.
        progress: show bars with the time left.
        cache_dir: folder for the pool of IPL's first stage, shared by all targets.
        parts: draw batches in parts, to save memory (`iplkit.adapt.cost.fit` finds which); the same result up to rounding.
        compile_with: backend of `torch.compile`, "inductor", for the adapted images; the same result up to rounding.

    Returns:
        The adapted generator (averaged weights, unless `settings.ema` is 0), logs, and the mapper, if any.

    Raises:
        UserError: unknown method, a word that CLIP never saw, more rows than the generator has, prompts for a
            method that reads none, or a folder that belongs to another run.
        iplkit.adapt.stop.NotFinite: a loss or gradient that is not finite; it carries the last good generator.
    """
    if method not in METHODS:
        raise UserError(f"method must be one of {sorted(METHODS)}; got {method!r}")
    settings = settings or AdaptSettings.at("world", "laptop")
    clips = tuple(clip) if isinstance(clip, Sequence) else (clip,)
    check(source_generator, clips, source, target, settings)
    check_list(clips, method, settings)
    if parts is not None and compile_with is not None:
        raise UserError("a run is drawn in parts to fit a memory, or compiled; both were asked for")
    with ExitStack() as still:
        for model in (source_generator, *clips):
            still.enter_context(frozen(model))
        tasks = make_tasks(source_generator, clips, source, target, settings, seed, cache_dir, progress)
        key = run_key(tasks, method) if resume_dir is not None else ""
        if resume_dir is not None:
            read_page(resume_dir, key)  # refuses another run's folder before the first stage
            tasks = [replace(task, keep=kept_mapper(resume_dir, number, key, settings)) for number, task in enumerate(tasks)]
        if parts is not None:
            settings = lean_settings(settings, parts)
            tasks = [replace(t, settings=settings, parts=parts, look=Look(t.clip, settings, seed, parts)) for t in tasks]
        recipes = [METHODS[method](task) for task in tasks]
        plugs = [replace(r.plugs, regularizers=r.plugs.regularizers + terms(t)) for r, t in zip(recipes, tasks, strict=True)]
        if len(plugs) > 1 and plugs[0].memory is not None:
            raise UserError(f"{method} needs a single CLIP, because it remembers what that CLIP saw; got {len(plugs)}")
        eyes = tuple(Eye(t.look, p) for t, p in zip(tasks[1:], plugs[1:], strict=True))
        recipe = recipes[0]
        generator, log = run_loop(
            source_generator,
            tasks[0].look,
            replace(plugs[0], eyes=eyes),
            settings,
            seed,
            average=method.startswith("ipl") or not settings.has("ema_ipl_only"),
            resume_dir=resume_dir,
            key=key,
            about={"method": method, "source": source, "target": target, "seed": seed, "settings": settings.record()},
            progress=progress,
            compile_with=compile_with,
        )
    return AdaptResult(generator, log, recipe.mapper, list(recipe.mapper_log), settings, method, source, target, seed)


def check(generator: nn.Module, clips: Sequence[nn.Module], source: str, target: str, settings: AdaptSettings) -> None:
    """Refuse what cannot work before anything is computed.

    Raises:
        UserError: unknown words, weights that are not one a CLIP, a choice of more rows than there are, or a precision that the
            device does not have.
    """
    check_precision(settings.precision, generator.synthesis.const.device)
    for model in clips:
        model.tokenize([source, target] + [settings.second] * bool(settings.second))
        if settings.templates:
            model.tokenize([template.format(target) for template in settings.templates])
    if len(clips) != len(settings.clip_weights) or not clips:
        raise UserError(f"clip_weights needs one weight for each CLIP; got {len(settings.clip_weights)} for {len(clips)}")
    if settings.selector == "adaptive":
        rows_to_free(settings, generator.num_ws)


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse bfloat16 where the device cannot.

    Raises:
        UserError: see there.
    """
    if precision != "bfloat16":
        return
    fine = torch.amp.is_autocast_available(device.type) and (device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False))
    if not fine:
        raise UserError(f"precision bfloat16 needs a device that computes in it, for example a GPU from Ampere on or the CPU; {device} does not, so leave it at float32")


def check_list(clips: Sequence[nn.Module], method: str, settings: AdaptSettings) -> None:
    """Refuse a list of prompts that would not be read, or cannot be.

    Raises:
        UserError: if the method reads no list, or a CLIP cannot read a sentence of it.
    """
    if settings.prompts and method != "ipl_star":
        raise UserError(f"prompts need the method 'ipl_star', which alone reads them; got {method!r}")
    for model in clips if settings.prompts else ():
        check_prompts(settings.prompts, model)


def make_tasks(
    generator: nn.Module,
    clips: Sequence[nn.Module],
    source: str,
    target: str,
    settings: AdaptSettings,
    seed: int,
    cache_dir: str | Path | None,
    progress: bool,
) -> list[Task]:
    """One task for each CLIP; the first one's selector lets the others vote."""
    cache = None if cache_dir is None else Path(cache_dir)
    more = tuple(zip(clips[1:], settings.clip_weights[1:], strict=True))
    tasks = []
    for model in clips:
        look, templates = Look(model, settings, seed), settings.templates or known_templates(model)
        tasks.append(Task(generator, model, source, target, settings, seed, look, templates, cache, progress, more if not tasks else ()))
    return tasks


def kept_mapper(folder: str | Path, number: int, key: str, settings: AdaptSettings) -> MapperCheckpoint:
    """Where the first stage of the CLIP with this number is kept."""
    return MapperCheckpoint(Path(folder) / f"mapper-{number}.safetensors", key, settings.save_every)


def known_templates(clip: nn.Module) -> tuple[str, ...]:
    """The 79 templates less those with a word that this CLIP never saw.

    Raises:
        UserError: if none is left.
    """
    templates = tuple(t for t in TEMPLATES if readable(clip, t.format("")))
    if not templates:
        raise UserError("a CLIP needs to know the words of at least one template; this one knows none")
    return templates


def run_key(tasks: Sequence[Task], method: str) -> str:
    """What makes two runs the same: models, method, words, settings, seed."""
    task = tasks[0]
    record = {"method": method, "source": task.source, "target": task.target, "seed": task.seed}
    record |= {"generator": weights_hash(task.generator_source), "clip": weights_hash(task.clip)}
    if len(tasks) > 1:
        record["more clips"] = [weights_hash(other.clip) for other in tasks[1:]]
    settings = task.settings.record()
    settings.pop("save_every")  # decides when to write, not what
    if method == "ipl_star":
        settings["prompts"] = prompts_of(task.settings.prompts, task.target, task.clip)
    return hashlib.sha256(json.dumps(record | settings, sort_keys=True).encode()).hexdigest()
