"""A latent from a file in every domain: what a reader edited elsewhere, or found with another tool, goes on from here."""

import time
from pathlib import Path

import torch
from torch import nn

from iplkit.images import write_image
from iplkit.invert.latent_files import read_latent
from iplkit.photos.invert import write_json
from iplkit.photos.models import PhotoModels

ENDINGS = (".npy", ".npz", ".pt")


def is_latent(path: Path) -> bool:
    """Whether a file is named like a latent and not like a picture."""
    return path.suffix.lower() in ENDINGS


@torch.no_grad()
def draw_latent(path: Path, generators: dict[str, nn.Module], models: PhotoModels, folder: Path) -> dict:
    """Draw one code with the photo's generator and with adapted ones.

    Writes ``code-reconstruction.png``, ``code-TARGET.png`` for each target, and ``code.json``, which comes last.

    Args:
        path: see `iplkit.invert.latent_files.read_latent`.
        generators: name -> adapted generator, see `iplkit.photos.adapt.load_targets`; may be empty.
        models: whose generator and likeness are taken.
        folder: where to.

    Returns:
        "latent": what the file was taken for; "adapted": target -> identity against the first picture, and seconds.

    Raises:
        UserError: a file that holds no code for this generator.
    """
    latent = read_latent(path, models.generator.num_ws, models.generator.config.w_dim)
    ws = latent.ws.to(next(models.generator.parameters()).device)
    image, adapted = models.draw(models.generator, ws), {}
    write_image(folder / f"{path.stem}-reconstruction.png", image)
    for name, generator in generators.items():
        began = time.perf_counter()
        made = models.draw(generator, ws)
        likeness = None if models.likeness is None else round(float(models.likeness(image, made)), 4)
        write_image(folder / f"{path.stem}-{name}.png", made)
        adapted[name] = {"identity": likeness, "seconds": round(time.perf_counter() - began, 2)}
    record = {"latent": str(latent), "file": path.name, "models": models.about, "adapted": adapted}
    write_json(folder / f"{path.stem}.json", record)
    return record
