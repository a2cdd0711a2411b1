"""``iplkit edit --mapper``: a trained mapper moves a person's code; the world's for its three texts, or a published file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.edit.mapper import LevelsMapper, load_published_mapper
from iplkit.edit.strips import frame_offsets, write_film, write_frames, write_strip
from iplkit.errors import UserError
from iplkit.invert.latent_files import read_latent, write_latent
from iplkit.latents import z_from_seeds

OFFSETS = "0,0.5,1"  # 1 is what the mapper was trained for
ZOO = "mapper-"


def find_mapper(which: str, profile: str) -> tuple[str, LevelsMapper]:
    """A mapper and the name of its text.

    Args:
        which: a published file; else a text, of the world's mappers or of those in the zoo's paper profile.
        profile: "world" or "paper".

    Raises:
        UserError: no such text, or a file that is missing or no mapper.
    """
    if Path(which).is_file():
        return Path(which).stem, load_published_mapper(which)
    if profile == "world":
        return which, zoo.load("styleclip")[which]
    name, known = which.replace(" ", "_").removeprefix(ZOO), [e.name.removeprefix(ZOO) for e in zoo.entries(profile) if e.name.startswith(ZOO)]
    if name not in known:
        raise UserError(f"a mapper is a file that is here, or one of {', '.join(known)}; got {which!r}")
    return name, zoo.load(f"{ZOO}{name}", profile)


@torch.no_grad()
def run_mapper(
    found: tuple[str, LevelsMapper], generator: nn.Module, latent: Path | None, seed: int, offsets: Sequence[float], output: Path,
    frames: int, film: bool, dry_run: bool,
) -> Iterator[str]:  # fmt: skip
    """Write the strip of a person at some strengths, and the code at the last one, which ``--latent`` takes.

    Args:
        found: see `find_mapper`.
        generator: draws.
        latent: file of the person's code; None takes the person of the seed.
        seed: see `latent`.
        offsets: strengths; 1 is the published one.
        output: folder.
        frames: also so many from the least to the largest strength; 0 for none.
        film: also as a GIF.
        dry_run: check, and write nothing.

    Yields:
        What to say.

    Raises:
        UserError: a latent or a mapper of another generator; nothing is written then.
    """
    name, device = found[0], generator.mapping.w_avg.device
    mapper = found[1].to(device)
    if latent:
        ws = read_latent(latent, generator.num_ws, generator.config.w_dim).ws.to(device)
    else:
        ws = generator.mapping(z_from_seeds([seed], generator.config.z_dim).to(device))
    mapper(ws)  # refuses codes of another generator before anything is said
    if dry_run:
        yield f"Would write a strip of {len(offsets)} pictures and a code into {output}"
        return

    def draw(strengths: Sequence[float] | Tensor) -> Tensor:
        return torch.cat([generator.synthesis(mapper.edit(ws, float(s)), noise_mode="const").clamp(-1, 1) for s in strengths])

    output.mkdir(parents=True, exist_ok=True)
    path = write_strip(output, name, draw(offsets))
    write_latent(path.with_suffix(".npy"), mapper.edit(ws, offsets[-1]))
    if frames:
        images = draw(frame_offsets(offsets, frames))
        write_frames(output, name, images)
        if film:
            write_film(path.with_suffix(".gif"), images)
    yield f"{name}: levels {', '.join(mapper.levels)} at {len(offsets)} strengths -> {path}, code at {offsets[-1]:g} -> {path.with_suffix('.npy').name}"
