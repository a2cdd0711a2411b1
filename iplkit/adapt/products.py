"""Adapted generators as products of the workflow: made once, named by what they are, shared by all notebooks.

A product is four files with one stem: the weights as a small difference from the source generator
(``.safetensors``), its record (``.json``: settings, hashes, log; the same every time), what may
differ from run to run (``.run.json``: seconds), and for IPL the mapper (``.mapper.pt``). The record is written last.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import nn

from iplkit import paths, zoo
from iplkit.adapt.cost import compared, fit
from iplkit.adapt.methods import METHODS, PAPER, AdaptResult, adapt, check_list
from iplkit.adapt.prompt_lists import prompts_of, read_prompts
from iplkit.adapt.settings import AdaptSettings
from iplkit.clip.mapper import save_mapper
from iplkit.devices import move
from iplkit.differences import apply_difference, write_difference
from iplkit.errors import UserError
from iplkit.stylegan2.checkpoints import save_rosinality
from iplkit.weights import atomic_path, sha256

LAST = 20  # steps that the summary of a log averages


@dataclass(frozen=True)
class Product:
    """An adapted generator on disk."""

    path: Path  # weights, a difference from the source generator
    record: dict  # what stands in the .json beside it; in a dry run, what is known before
    made: bool  # False if it was there already, or in a dry run

    @property
    def mapper_path(self) -> Path:
        """IPL's mapper, read by `iplkit.clip.mapper.load_mapper`."""
        return self.path.with_suffix(".mapper.pt")


def product_settings(method: str, profile: str, tier: str) -> AdaptSettings:
    """What `make_product` trains with: the profile's and tier's settings; the paper's own, quirks included, for "paper"."""
    settings = AdaptSettings.at(profile, tier)
    if profile == "paper":
        budget = {n: getattr(settings, n) for n in ("steps", "mapper_steps", "mapper_batch", "mapper_pool", "save_every")}
        settings = replace(PAPER[method], **budget)
    return settings


def changed_settings(method: str, profile: str, tier: str, changes: Sequence[str]) -> AdaptSettings | None:
    """The settings of `product_settings` with some of them changed, or None if there is no change.

    Args:
        method, profile, tier: as `make_product`.
        changes: "name=value", the value as JSON, or as plain text where it is no JSON. "quirks=name,name" names quirks.

    Raises:
        UserError: unknown method, no "=", an unknown name, or a value of another kind.
    """
    if method not in METHODS:
        raise UserError(f"method must be one of {sorted(METHODS)}; got {method!r}")
    if not changes:
        return None
    record = product_settings(method, profile, tier).record()
    kinds = {field.name: type(field.default) for field in fields(AdaptSettings)}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in kinds:
            raise UserError(f"a setting needs to be NAME=VALUE with a name among {sorted(kinds)}; got {change!r}")
        record[name] = [word for word in text.split(",") if word] if name == "quirks" else _value(text)
        if not _fits(record[name], kinds[name]):
            raise UserError(f"{name} needs a value like {getattr(AdaptSettings(), name)!r}; got {text!r}")
    return AdaptSettings.from_record(record)


def with_prompts(
    settings: AdaptSettings, path: Path, target: str, profile: str = "world", allow_unknown: bool = False, models: Path | None = None
) -> AdaptSettings:
    """The settings with a reader's list of sentences about the target, for "ipl_star".

    Args:
        settings: the others.
        path: see `iplkit.adapt.prompt_lists.read_prompts`.
        target, profile, allow_unknown, models: as `make_product`.

    Raises:
        UserError: if the file holds no list that this profile's CLIP can read; the line is named.
    """
    clip = zoo.load("clip", profile, models)
    return replace(settings, prompts=read_prompts(path, target, clip.let_unknown_through() if allow_unknown else clip))


def _value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def _fits(value, kind: type) -> bool:
    if kind in (tuple, frozenset):
        return isinstance(value, list)
    return isinstance(value, bool) == (kind is bool) and isinstance(value, (int, float) if kind is float else kind)


def export_product(product: Product, path: Path, profile: str = "world", models: Path | None = None) -> Path:
    """Write a product as a ``g_ema`` file, which the code of IPL, NADA and rosinality reads. Returns the path.

    Raises:
        UserError: as `load_product`.
    """
    save_rosinality(path, load_product(product.path, profile, models))
    return path


def make_product(
    source: str,
    target: str,
    method: str,
    profile: str = "world",
    tier: str = "laptop",
    seed: int = 0,
    out: str | Path | None = None,
    dry_run: bool = False,
    *,
    settings: AdaptSettings | None = None,
    models: Path | None = None,
    progress: bool = True,
    force: bool = False,
    allow_unknown: bool = False,
    cache: Path | None = None,
    memory: int | None = None,
    say: Callable[[str], None] | None = None,
    compile_with: str | Callable | None = None,
    device: str = "cpu",
) -> Product:
    """Adapt a generator and write it, or find that it is there already.

    An interrupted call continues where it stopped when it is made again. A product of other
    settings or models under the same name is replaced.

    Args:
        source: word of the source domain, "photo".
        target: word of the target domain.
        method: a name in `METHODS`.
        profile: which models, "world" or "paper".
        tier: how much, "smoke", "laptop" or "full".
        seed: of every draw.
        out: folder; None is the one where notebooks look (`iplkit.paths.adapted`).
        dry_run: check the words and models, train nothing, write nothing.
        settings: other settings than `product_settings` gives.
        models: folder of the models; None is the zoo's.
        progress: show bars with the time left.
        force: train although the product is there.
        allow_unknown: let words through that the CLIP never saw; the record and the file's name say so.
        cache: folder of what several runs share, such as the pool of IPL's first stage; None is one inside `out`.
        memory: bytes the process may hold; batches are then drawn in parts that fit. None draws them whole.
        say: gets the cost card before the run, and after it again with what was measured; only with `memory`.
        compile_with: as `adapt`; no part of what the product is.
        device: where to compute, "cpu" or "cuda"; draws are made on the CPU, so another device changes only the rounding.

    Raises:
        UserError: unknown method, profile, tier or word, a model that is missing or damaged, or a device that is not here.
    """
    if method not in METHODS:
        raise UserError(f"method must be one of {sorted(METHODS)}; got {method!r}")
    folder = Path(out) if out is not None else paths.run_folder(tier, profile) / "adapted"
    settings = settings or product_settings(method, profile, tier)
    word = f"{target} and {settings.share:g} {settings.second}" if settings.second else target
    path = folder / paths.adapted_name(method, word, source=source, seed=seed)
    if allow_unknown:
        path = path.with_name(f"unknown-{path.name}")
    if memory is not None and compile_with is not None:
        raise UserError("a run is drawn in parts to fit a memory, or compiled; both were asked for")
    if source == target:
        raise UserError(f"target must be another domain than the source; both are {source!r}")
    clip = zoo.load("clip", profile, models)
    if allow_unknown:
        clip.let_unknown_through()
    clip.tokenize([source, target] + [settings.second] * bool(settings.second))  # refuses unknown words, naming the nearest
    check_list([clip], method, settings)
    hashes = {name: sha256(zoo.path_of(name, profile, models)) for name in ("generator", "clip")}
    record = {"kind": "adapted generator", "method": method, "source": source, "target": target, "seed": seed}
    record |= {"profile": profile, "tier": tier, "settings": settings.record(), "inputs": hashes}
    if method == "ipl_star":
        record["prompts"] = list(prompts_of(settings.prompts, target, clip))
    if allow_unknown:
        record["allow_unknown"] = True
    if not force and (found := finished(path, record)) is not None:
        return Product(path, found, made=False)
    if dry_run and memory is None:
        return Product(path, record, made=False)
    generator, cost = zoo.load("generator", profile, models), None
    move(device, generator, clip)
    if memory is not None:
        cost = fit(generator, [clip], settings, memory)
        if say is not None:
            say(f"Predicted: {cost.sentence()}")
    if dry_run:
        return Product(path, record, made=False)
    resume_dir = folder / ".resume" / path.stem
    result = adapt(
        generator, clip, method, source, target, settings, seed, resume_dir, progress, cache_dir=cache or folder / ".cache",
        parts=cost and cost.parts, compile_with=compile_with,
    )
    if cost is not None and say is not None:
        say(f"Checked: {compared(cost, result.log, torch.device(device))}")
    result = replace(result, generator=result.generator.cpu(), mapper=result.mapper if result.mapper is None else result.mapper.cpu())
    record = write_product(path, record, generator.cpu(), result)
    shutil.rmtree(resume_dir, ignore_errors=True)
    return Product(path, record, made=True)


def finished(path: Path, record: dict) -> dict | None:
    """The stored record, if the product at `path` is whole and was made from the same models and settings."""
    page = path.with_suffix(".json")
    if not (path.is_file() and page.is_file()):
        return None
    try:
        stored = json.loads(page.read_text(encoding="utf-8"))
    except ValueError:
        return None
    same = isinstance(stored, dict) and all(stored.get(name) == value for name, value in record.items())
    return stored if same and stored.get("sha256") == sha256(path) else None


def write_product(path: Path, record: dict, source_generator: nn.Module, result: AdaptResult) -> dict:
    """Write the files of a product; the record last. Returns the record."""
    about = {name: record[name] for name in ("method", "source", "target", "seed", "profile", "tier", "settings")}
    page = path.with_suffix(".json")
    page.unlink(missing_ok=True)  # from here until the new one stands, there is no product
    lost = write_difference(path, source_generator, result.generator, record["inputs"]["generator"], about)
    if result.mapper is not None:
        save_mapper(path.with_suffix(".mapper.pt"), result.mapper)
    record = record | {"sha256": sha256(path), "rounding_error": lost} | log_summary(result)
    seconds = {"generator": _seconds(result.log), "mapper": _seconds(result.mapper_log)}
    run = {"seconds": seconds, "threads": torch.get_num_threads(), "torch": torch.__version__}
    _write_json(path.with_suffix(".run.json"), run)
    _write_json(page, record)
    return record


def log_summary(result: AdaptResult) -> dict:
    """What a record keeps of the logs: curves, and their ends as numbers."""
    curves = {name: [row[name] for row in result.log] for name in ("loss", "moved")}
    curves |= {f"mapper_{n}": [row[n] for row in result.mapper_log] for n in ("loss", "contrastive", "domain") if result.mapper_log}
    chosen = [row for entry in result.log for row in entry["rows"]]
    ends = {f"first_{name}": values[0] for name, values in curves.items() if values}
    ends |= {f"last_{name}": sum(values[-LAST:]) / len(values[-LAST:]) for name, values in curves.items() if values}
    rows = {str(row): chosen.count(row) for row in sorted(set(chosen))}
    return {"summary": ends, "steps_of_rows": rows, "log": curves}


def load_product(path: str | Path, profile: str = "world", models: Path | None = None) -> nn.Module:
    """The adapted generator of a product, frozen: the source generator plus the stored difference.

    Raises:
        UserError: if the file is missing or damaged, or belongs to another source generator.
    """
    generator = zoo.load("generator", profile, models)
    base = sha256(zoo.path_of("generator", profile, models))
    return apply_difference(path, generator, base).eval().requires_grad_(False)


def _seconds(log: list[dict]) -> float:
    return round(sum(row["seconds"] for row in log), 2)


def _write_json(path: Path, record: dict) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
