"""Steer the generator into every target domain and record how far it came: the products behind M7.

One small file a domain under ``figures/full/``. A file that is there is kept, so an interrupted night goes on where it
stopped; only `force` measures again.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from iplkit import zoo
from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.methods import weights_hash
from iplkit.bars.sets import Scale, renders
from iplkit.bars.steering import steer_file, steering_row, steering_strip
from iplkit.differences import write_difference
from iplkit.features import judge_features
from iplkit.images import write_image
from iplkit.records import plain, write_json
from iplkit.world.domains.catalog import DOMAINS, check_domain

STEPS = 300
TARGETS = DOMAINS[1:]


def steer_settings(**changes) -> AdaptSettings:
    """NADA in the world's settings, with the 300 steps that M7 asks for."""
    return replace(AdaptSettings.at("world", "laptop"), steps=STEPS, **changes)


def todo(figures: Path, domains: Iterable[str] | None = None, force: bool = False) -> list[str]:
    """The domains without a record, or all named ones with `force`.

    Raises:
        UserError: an unknown domain.
    """
    wanted = list(TARGETS if domains is None else domains)
    for domain in wanted:
        check_domain(domain)
    return [domain for domain in wanted if force or not steer_file(figures, domain).is_file()]


def steer(
    figures: Path,
    domains: Iterable[str] | None = None,
    *,
    settings: AdaptSettings | None = None,
    seed: int = 0,
    force: bool = False,
    threads: int | None = None,
    keep: Path | None = None,
    models: dict[str, nn.Module] | None = None,
    scale: Scale = Scale(),
    progress: bool = True,
) -> list[dict]:
    """Adapt with NADA to each domain, measure, and record.

    Args:
        figures: the folder that holds ``full/``.
        domains: target domains; None is all thirteen.
        settings: None takes `steer_settings`.
        seed: of the adaptation.
        force: adapt again where a record stands.
        threads: CPU threads of this process; None leaves them.
        keep: folder for the adapted generators, as packed differences; None keeps none.
        models: generator, clip and judge in place of the shipped ones.
        scale: samples and renders of the measurement, and the device.
        progress: bars.

    Returns:
        The records of the domains done now, in order.
    """
    settings = settings or steer_settings()
    waiting = todo(figures, domains, force)
    if not waiting:
        return []
    if threads is not None:
        torch.set_num_threads(threads)
    models = dict(models or {})
    for name in ("generator", "clip", "judge"):
        models[name] = (models[name] if name in models else zoo.load(name)).to(scale.device).eval()
    photos = judge_features(models["judge"], renders(scale, "steering photos", "photo", scale.steered))
    write_image(steer_file(figures, "photo", ".png"), steering_strip(models["generator"], scale))
    return [steer_one(figures, domain, models, photos, settings, seed, keep, scale, progress) for domain in waiting]


def steer_one(
    figures: Path,
    domain: str,
    models: dict,
    photos: dict,
    settings: AdaptSettings,
    seed: int,
    keep: Path | None,
    scale: Scale,
    progress: bool,
) -> dict:
    """One domain: adapt, measure, write picture and record; the record last, since it says that all is there."""
    began = time.perf_counter()
    result = adapt(models["generator"], models["clip"], "nada", "photo", domain, settings, seed, progress=progress)
    seconds = time.perf_counter() - began
    targets = judge_features(models["judge"], renders(scale, f"steering {domain}", domain, scale.steered))
    numbers = steering_row(domain, result.generator, models["judge"], targets, photos, scale)
    inputs = {name: weights_hash(module) for name, module in models.items()}
    if keep is not None:
        path = Path(keep) / f"nada-{domain.replace(' ', '-')}.safetensors"
        about = {"method": "nada", "domain": domain, "seed": seed, "settings": settings.record()}
        base = zoo.hashes().get(zoo.entry("generator").file, inputs["generator"])
        numbers["rounding"] = write_difference(path, models["generator"], result.generator, base, about)
    write_image(steer_file(figures, domain, ".png"), steering_strip(result.generator, scale))
    record = numbers | {
        "name": f"steer-{domain.replace(' ', '-')}", "method": "nada", "source": "photo", "seed": seed, "tier": "full", "profile": "world",
        "config": {"settings": settings.record(), "scale": asdict(scale)}, "weights": inputs,
        "loss": [row["loss"] for row in result.log], "moved": [row["moved"] for row in result.log],
    }  # fmt: skip
    write_json(steer_file(figures, domain), plain(record))
    circumstances = {"seconds": round(seconds, 1), "device": scale.device, "threads": torch.get_num_threads()}
    write_json(steer_file(figures, domain, ".run.json"), circumstances)
    return record
