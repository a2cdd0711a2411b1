"""StyleCLIP's latent mapper: a small network that says, for each person, how its code must move for one text.

Patashnik et al. 2021, "StyleCLIP", Sec. 5. Three networks, for the coarse, middle and fine rows of W+; a level that is off says
0. The result is ``w + 0.1 M(w)``, where the 0.1 stands outside the network.

The first layer scales by the root mean square over the *rows* of a level, channel by channel, and not over the channels of a
row: published weights were trained so, and so a row's answer depends on the other rows.

Axis letters: N people, R rows of W+, D width of w.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.extractors.files import fill
from iplkit.invert.checkpoints import load_plain, options_of
from iplkit.latents import row_groups
from iplkit.stylegan2.generator import EqualLinear
from iplkit.weights import read_weights, write_weights

LEVELS = {"coarse": "course_mapping", "middle": "medium_mapping", "fine": "fine_mapping"}  # the second as published files spell it
STEP = 0.1  # of a mapper's answer that is added
LR_MUL, DEPTH = 0.01, 4
KIND = "styleclip mappers"
FFHQ_ROWS = 18
SWITCHES = {"coarse": "no_coarse_mapper", "middle": "no_medium_mapper", "fine": "no_fine_mapper"}  # in a published file's options


class LevelMapper(nn.Module):
    """PixelNorm over rows, then layers with leaky ReLU; published: four of 512 to 512."""

    def __init__(self, width: int, hidden: int, rng: torch.Generator):
        super().__init__()
        widths = [width] + [hidden] * (DEPTH - 1) + [width]
        layers = [EqualLinear(i, o, lr_mul=LR_MUL, activate=True, rng=rng) for i, o in zip(widths, widths[1:])]
        self.mapping = nn.ModuleList([nn.Identity(), *layers])  # numbered from 1, as published

    def forward(self, ws: Tensor) -> Tensor:
        """``[N, r, D]`` -> ``[N, r, D]``."""
        x = ws * torch.rsqrt(ws.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            x = layer(x)
        return x


class LevelsMapper(nn.Module):
    """The networks of all levels for one text.

    Args:
        num_ws: R.
        levels: which are on.
        width: D.
        hidden: width inside; None is D, as published.
        seed: of the initial weights.

    Raises:
        UserError: unknown level, none at all, or one without rows.
    """

    def __init__(self, num_ws: int, levels: Sequence[str] = tuple(LEVELS), width: int = 512, hidden: int | None = None, seed: int = 0):
        super().__init__()
        groups = row_groups(num_ws)
        if not levels or any(level not in LEVELS or not len(groups[level]) for level in levels):
            fitting = [level for level in LEVELS if len(groups[level])]
            raise UserError(f"a mapper of {num_ws} rows needs some of the levels {', '.join(fitting)}; got {', '.join(levels) or 'none'}")
        rng = torch.Generator().manual_seed(seed)
        self.num_ws, self.width, self.hidden, self.levels = num_ws, width, hidden or width, tuple(levels)
        self.nets = nn.ModuleDict({LEVELS[level]: LevelMapper(width, self.hidden, rng) for level in levels})

    def forward(self, ws: Tensor) -> Tensor:
        """What to add, before the 0.1, ``[N, R, D]`` -> ``[N, R, D]``."""
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.width):
            raise UserError(f"the mapper needs codes [N, {self.num_ws}, {self.width}]; got {list(ws.shape)}")
        groups = row_groups(self.num_ws)
        parts = [(ws[:, groups[level].start : groups[level].stop], name) for level, name in LEVELS.items()]
        return torch.cat([self.nets[name](part) if name in self.nets else torch.zeros_like(part) for part, name in parts], dim=1)

    def edit(self, ws: Tensor, strength: float = 1.0) -> Tensor:
        """Edited codes, ``[N, R, D]`` -> ``[N, R, D]``."""
        return ws + STEP * strength * self(ws)


class Mappers(nn.Module):
    """Mappers of several texts, by a short name each: what one file holds."""

    def __init__(self, num_ws: int, levels: Mapping[str, Sequence[str]], width: int = 512, hidden: int | None = None, seed: int = 0):
        super().__init__()
        parts = {name: LevelsMapper(num_ws, chosen, width, hidden, seed + k) for k, (name, chosen) in enumerate(levels.items())}
        self.of = nn.ModuleDict(parts)
        self.sizes = {"num_ws": num_ws, "levels": {k: list(v) for k, v in levels.items()}, "width": width, "hidden": hidden or width}

    def __getitem__(self, name: str) -> LevelsMapper:
        if name not in self.of:
            raise UserError(f"a mapper is one of {', '.join(self.of)}; got {name!r}")
        return self.of[name]


def save_mappers(path: str | Path, mappers: Mappers, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write mappers into one safetensors file."""
    tensors = {name: t if dtype is None else t.to(dtype) for name, t in mappers.state_dict().items()}
    write_weights(path, tensors, (metadata or {}) | {"kind": KIND, "sizes": mappers.sizes})


def load_mappers(path: str | Path) -> Mappers:
    """Read what `save_mappers` wrote, as float32.

    Raises:
        UserError: another content.
    """
    tensors, record = read_weights(path)
    if record.get("kind") != KIND:
        raise UserError(f"{path} needs to hold StyleCLIP mappers; it holds {record.get('kind', 'something else')}")
    mappers = Mappers(**record["sizes"])
    mappers.load_state_dict({name: t.float() for name, t in tensors.items()})
    return mappers


def load_published_mapper(path: str | Path, num_ws: int | None = None) -> LevelsMapper:
    """A published mapper file of StyleCLIP, without the generator that lies in it too.

    Args:
        path: the file.
        num_ws: R; None counts the maps of noise of the generator in the file, and takes FFHQ's 18 where there is none.

    Raises:
        UserError: a file that cannot be read safely, or holds no mapper of this layout.
    """
    content = load_plain(path, "a mapper of StyleCLIP")
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise UserError(f"{path} needs a mapper's weights under 'state_dict'; there are none")
    mine = {name.removeprefix("mapper."): t.clone() for name, t in state.items() if name.startswith("mapper.") and isinstance(t, Tensor)}
    levels = [level for level, name in LEVELS.items() if any(key.startswith(f"{name}.") for key in mine)]
    if not levels:
        what = f"a mapper of another kind, with {next(iter(mine))}" if mine else "no mapper"
        raise UserError(f"{path} needs the mapper's levels {', '.join(LEVELS.values())}; there is none of them, it holds {what}")
    options = options_of(content, path)
    if lost := [level for level in LEVELS if level not in levels and options.get(SWITCHES[level]) is False]:
        raise UserError(f"{path} needs the level {lost[0]}, which its options do not switch off; it is missing")
    first = mine.get(f"{LEVELS[levels[0]]}.mapping.1.weight")
    if first is None or first.ndim != 2:
        raise UserError(f"{path} needs {LEVELS[levels[0]]}.mapping.1.weight as a table; it is missing or another thing")
    noises = sum(name.startswith("decoder.noises.noise_") for name in state)
    mapper = LevelsMapper(num_ws or (noises + 1 if noises else FFHQ_ROWS), levels, width=first.shape[1])
    fill(mapper.nets, mine, path)
    return mapper
