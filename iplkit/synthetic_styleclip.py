"""StyleCLIP's published files with random weights: a mapper of one text, a relevance matrix, the statistics of S.

Names, shapes and containers are the published ones. The statistics are truly those of the given generator, so that an edit's
strengths keep their meaning; the matrix and the mappers learned nothing.
"""

import pickle
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from iplkit.edit.mapper import LEVELS, SWITCHES, LevelsMapper
from iplkit.edit.published_files import published_channels
from iplkit.edit.statistics import style_statistics
from iplkit.edit.style_space import StyleSpace, style_space
from iplkit.latents import row_groups
from iplkit.stylegan2.checkpoints import to_rosinality

CLIP_WIDTH = 512
PEOPLE = 200
WITHOUT_FINE = ("afro", "angry", "bobcut", "bowlcut", "curly_hair", "mohawk", "surprised")  # of the published ones


def write_styleclip(path: Path, name: str, generator: nn.Module, seed: int = 0) -> None:
    """Write one file.

    Args:
        path: where to.
        name: of the zoo's entry; one that is neither statistics nor matrix is a mapper, whose levels are the published ones.
        generator: for which.
        seed: of the weights.
    """
    if name == "styleclip-mean-std":
        _statistics(path, generator)
    elif name.startswith("styleclip-fs3"):
        _matrix(path, style_space(generator.config), seed)
    else:
        torch.save(_mapper(name.removeprefix("mapper-"), generator, seed), path)


def _matrix(path: Path, space: StyleSpace, seed: int) -> None:
    rows = torch.randn(len(published_channels(space)), CLIP_WIDTH, generator=torch.Generator().manual_seed(seed))
    with open(path, "wb") as file:  # numpy would add an ending to a path's name
        np.save(file, F.normalize(rows, dim=1).numpy())


def _statistics(path: Path, generator: nn.Module) -> None:
    found = style_statistics(generator, PEOPLE)
    lists = [[part.numpy() for part in table.split(found.space.widths)] for table in (found.mean, found.std)]
    path.write_bytes(pickle.dumps(lists))


def _mapper(text: str, generator: nn.Module, seed: int) -> dict:
    groups = row_groups(generator.num_ws)
    levels = [level for level in LEVELS if len(groups[level]) and not (level == "fine" and text in WITHOUT_FINE)]
    mapper = LevelsMapper(generator.num_ws, levels, generator.config.w_dim, seed=seed)
    state = {f"mapper.{key}": tensor for key, tensor in mapper.nets.state_dict().items()}
    state |= {f"decoder.{key}": tensor for key, tensor in to_rosinality(generator).items()}
    options = {"mapper_type": "LevelsMapper", "stylegan_size": generator.config.size, "work_in_stylespace": False, "description": text.replace("_", " ")}
    return {"state_dict": state, "opts": options | {switch: level not in levels for level, switch in SWITCHES.items()}}
