"""From photos to latents: align, encode or optimise, measure, write; a photo that does not fit stops no other.

For each portrait of ``photo.jpg``: ``photo.npy`` (the latent), ``photo-portrait.png`` (what was cut out),
``photo-reconstruction.png`` (what the latent draws), ``photo-strip.png`` (all side by side), ``photo.json`` (the numbers; written
last).
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import to_pil, write_image
from iplkit.invert.latent_files import write_latent
from iplkit.invert.methods import invert
from iplkit.invert.pictures import open_picture, try_each
from iplkit.invert.portraits import Cutting, Portrait, portraits_of
from iplkit.invert.result import decibels
from iplkit.photos.models import PhotoModels
from iplkit.photos.strip import draw_strip
from iplkit.weights import atomic_path

TOGETHER = 8  # photos that are held in memory at a time
WAYS = ("encode", "encode+refine", "optimize", "project")  # those whose picture the rows of w alone can draw again


@dataclass(frozen=True)
class Search:
    """How a code is looked for.

    Args:
        method: one of `WAYS`, see `iplkit.invert.methods.invert`.
        space: "z", "w" or "w+"; None is the method's own.
        steps: of the optimisation; None is the method's own number.
        passes: of an encoder that looks again.
        seed: of every draw.
    """

    method: str = "encode+refine"
    space: str | None = None
    steps: int | None = None
    passes: int = 5
    seed: int = 0

    def __post_init__(self):
        if self.method not in WAYS:
            raise UserError(f"a photo's latent is found by one of {', '.join(WAYS)}; got {self.method!r}")
        if self.space not in (None, "z", "w", "w+"):
            raise UserError(f"a photo's latent is kept as rows of w, so its space is z, w or w+; got {self.space!r}")


@dataclass(frozen=True)
class Found:
    """A portrait with its code.

    Args:
        portrait: where it came from.
        stem: of its files.
        ws: ``[1, R, D]``.
        image: what the code draws, ``[1, 3, S, S]``.
        numbers: psnr_db, identity (a cosine; None where it is not measured), distance_to_mean (of w, by rows), seconds.
        about: how it was found.
    """

    portrait: Portrait
    stem: str
    ws: Tensor
    image: Tensor
    numbers: dict
    about: dict

    def record(self) -> dict:
        """What stands in its ``.json``."""
        return self.portrait.record() | self.about | {"latent": list(self.ws.shape), "numbers": self.numbers}


@dataclass(frozen=True)
class Report:
    """What came of a batch.

    Args:
        done: stem of each portrait's files, and its numbers.
        failed: each photo that did not fit, and its sentence.
    """

    done: list[tuple[str, dict]] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def invert_photos(
    paths: Sequence[Path], models: PhotoModels, cutting: Cutting, search: Search, each: Callable[[Found], None],
    landmarks: np.ndarray | None = None, *, progress: bool = False,
) -> Report:  # fmt: skip
    """Find the code of every portrait in some photos.

    Args:
        paths: picture files.
        models: see `iplkit.photos.models.load_models`.
        cutting: how portraits are cut out; its size is the generator's.
        search: how codes are looked for.
        each: called with each portrait as soon as its code is known; what it refuses goes into the report.
        landmarks: by hand, of the face in the one photo.
        progress: show a bar.

    Raises:
        UserError: landmarks for several photos, or portraits of another size.
    """
    if landmarks is not None and len(paths) != 1:
        raise UserError(f"landmarks by hand belong to one photo; got {len(paths)} photos")
    if cutting.size != models.size:
        raise UserError(f"this generator draws {models.size} px; got portraits of {cutting.size} px")
    stems, report = unique_stems(paths), Report()
    for start in range(0, len(paths), TOGETHER):
        part = range(start, min(start + TOGETHER, len(paths)))
        opened, failed = try_each(part, lambda k: [(k, p) for p in portraits_of(open_picture(paths[k]), cutting, landmarks)])
        named = [(k, _numbered(stems[k], n, len(found)), p) for found in opened for n, (k, p) in enumerate(found)]
        done, spoiled = _together(named, models, search, each, progress)
        report.done.extend(done)
        report.failed.extend((paths[k], why) for k, why in sorted(failed + spoiled))
    return report


def _together(named: list[tuple], models: PhotoModels, search: Search, each, progress: bool) -> tuple[list, list]:
    """Codes of some portraits at once; where one spoils it for all, each alone."""
    if not named:
        return [], []
    try:
        images = torch.cat([portrait.image for _, _, portrait in named])
        began = time.perf_counter()
        ws, about = find_codes(images, models, search, progress)
        seconds = (time.perf_counter() - began) / len(named)
    except UserError as error:
        if len(named) == 1:
            return [], [(named[0][0], str(error))]
        alone = [_together([one], models, search, each, progress) for one in named]
        return [d for done, _ in alone for d in done], [f for _, failed in alone for f in failed]
    made = torch.cat([models.draw(models.generator, part) for part in ws.split(models.batch)])

    def finish(k: int) -> tuple[str, dict]:
        _, stem, portrait = named[k]
        numbers = measure(images[k : k + 1], made[k : k + 1], ws[k : k + 1], models) | {"seconds": round(seconds, 2)}
        found = Found(portrait, stem, ws[k : k + 1].cpu(), made[k : k + 1].cpu(), numbers, {name: v[k] if isinstance(v, list) else v for name, v in about.items()})
        each(found)
        return stem, numbers

    done, refused = try_each(range(len(named)), finish)
    return done, [(named[k][0], why) for k, why in refused]


def find_codes(images: Tensor, models: PhotoModels, search: Search, progress: bool = False) -> tuple[Tensor, dict]:
    """Codes of portraits.

    Returns:
        ``[N, R, D]``, and what a record says; in it lists have one entry a portrait.

    Raises:
        UserError: a method that needs an encoder where there is none, or portraits that do not fit.
    """
    about = {"profile": models.profile, "models": models.about, "method": search.method, "seed": search.seed}
    device = next(models.generator.parameters()).device
    images, start, passes = images.to(device), "mean", None
    if search.method.startswith("encode"):
        start, passes = _encode(images, models, search)
        about |= {"passes": search.passes, "best_pass": [int(p) + 1 for p in passes]}
        if search.method == "encode":
            return start, about | {"space": "w+"}
    method = "optimize" if search.method == "encode+refine" else search.method
    more = {"space": search.space, "steps": search.steps, "seed": search.seed, "start": start}
    found = invert(
        images, models.generator, method, settings=models.settings[search.method], perceptual=models.perceptual(),
        batch=models.batch, progress=progress, **more,
    )  # fmt: skip
    return found.ws, about | {"space": found.about["space"], "steps": len(found.losses)}


def _encode(images: Tensor, models: PhotoModels, search: Search) -> tuple[Tensor, Tensor]:
    """The codes of each portrait's best pass, and which it was, from 0."""
    if models.encoder is not None:
        passes = search.passes if models.encoder.iterative else None
        ws, which = zip(*(models.encoder.run(part, passes).best() for part in images.split(models.batch)))
        return torch.cat(ws), torch.cat(which)
    if models.profile != "world":
        raise UserError(f"{search.method} needs the file of a published encoder (--encoder FILE), or take --method optimize; there is none")
    found = invert(images, models.generator, "encode", passes=search.passes, progress=False)
    best = found.losses.argmin(dim=0)
    return found.passes[best, torch.arange(len(best))], best


def measure(images: Tensor, made: Tensor, ws: Tensor, models: PhotoModels) -> dict:
    """Numbers of one reconstruction; images ``[1, 3, S, S]``."""
    images = images.to(made.device)
    distance = float((ws - models.generator.mapping.w_avg).norm(dim=-1).mean())
    likeness = None if models.likeness is None else round(float(models.likeness(images, made)), 4)
    return {"psnr_db": round(float(decibels(made, images)), 2), "identity": likeness, "distance_to_mean": round(distance, 3)}


def write_found(found: Found, folder: Path) -> None:
    """The five files of one portrait, see the module; each whole or not at all."""
    write_latent(folder / f"{found.stem}.npy", found.ws)
    write_image(folder / f"{found.stem}-portrait.png", found.portrait.image)
    write_image(folder / f"{found.stem}-reconstruction.png", found.image)
    draw_strip(folder / f"{found.stem}-strip.png", found.portrait, [("portrait", found.portrait.crop), ("reconstruction", to_pil(found.image))])
    write_json(folder / f"{found.stem}.json", found.record())


def write_json(path: Path, record: dict) -> None:
    """A small record, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """A name for each photo's files; photos of one name in different folders are counted."""
    taken, stems = set(), []
    for path in paths:
        stem, k = path.stem, 1
        while stem in taken:
            k += 1
            stem = f"{path.stem}_{k}"
        taken.add(stem)
        stems.append(stem)
    return stems


def _numbered(stem: str, k: int, count: int) -> str:
    return stem if count == 1 else f"{stem}-face{k + 1}"
