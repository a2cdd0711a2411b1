"""A photo in every domain: adapted generators draw the photo's latent, and the result is pasted back.

Beside the files of `iplkit.photos.invert`, for each target: ``photo-TARGET.png`` (the portrait) and ``photo-TARGET-pasted`` (the
photo with it, ``.png``, or ``.jpg`` for a JPEG).
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from iplkit.errors import UserError
from iplkit.images import to_pil, write_image
from iplkit.photos.invert import Found, write_found, write_json
from iplkit.photos.models import PhotoModels
from iplkit.photos.strip import draw_strip
from iplkit.photos.targets import Target
from iplkit.weights import atomic_path

JPEG = (".jpg", ".jpeg")


def load_targets(targets: Sequence[Target], models: PhotoModels) -> dict[str, nn.Module]:
    """The adapted generators, name -> module, on the device of the source.

    Raises:
        UserError: one that is damaged, belongs to another source, or draws another size.
    """
    device, loaded = next(models.generator.parameters()).device, {}
    for target in targets:
        generator = target.load().to(device)
        if generator.config != models.generator.config:
            raise UserError(f"{target.name} needs the sizes of the photo's generator, {models.generator.config}; it has {generator.config}")
        loaded[target.name] = generator
    return loaded


def write_adapted(found: Found, generators: dict[str, nn.Module], models: PhotoModels, folder: Path) -> Found:
    """Draw one photo's latent with each generator and write everything.

    Args:
        found: the photo's code.
        generators: see `load_targets`.
        models: whose likeness is asked, between reconstruction and adapted portrait.
        folder: where to.

    Returns:
        `found` with "adapted" among its numbers: target -> identity and seconds.
    """
    write_found(found, folder)
    device, numbers = next(models.generator.parameters()).device, {}
    tiles = [("portrait", found.portrait.crop), ("reconstruction", to_pil(found.image))]
    for name, generator in generators.items():
        began = time.perf_counter()
        image = models.draw(generator, found.ws.to(device))
        likeness = None if models.likeness is None else round(float(models.likeness(found.image.to(device), image)), 4)
        write_image(folder / f"{found.stem}-{name}.png", image)
        _write_pasted(folder, found, name, to_pil(image))
        numbers[name] = {"identity": likeness, "seconds": round(time.perf_counter() - began, 2)}
        tiles.append((name, to_pil(image)))
    draw_strip(folder / f"{found.stem}-strip.png", found.portrait, tiles)
    found = replace(found, numbers=found.numbers | {"adapted": numbers})
    write_json(folder / f"{found.stem}.json", found.record())
    return found


def _write_pasted(folder: Path, found: Found, name: str, portrait) -> None:
    suffix = ".jpg" if found.portrait.picture.path.suffix.lower() in JPEG else ".png"
    with atomic_path(folder / f"{found.stem}-{name}-pasted{suffix}") as temporary:
        found.portrait.paste(portrait).save(temporary, **({"quality": 95} if suffix == ".jpg" else {}))
