"""Rendered once, read often: the pictures that the small networks are trained on.

A pool is a folder of plain arrays. It is filled in chunks; each chunk depends on the pool's seed and its own number
only, so several processes can fill one pool, and a stopped one goes on where it was.

Two kinds: "portraits" (pure, blended, half-styled and ruined pictures) and "pairs" (one person twice, in families that
share skin and hair color).
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import from_uint8, to_uint8
from iplkit.train import ruins
from iplkit.weights import atomic_path
from iplkit.world.captions import CLASSES
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.factors import IDENTITY, NUM_FACTORS, indices, sample_factors
from iplkit.world.render import blend, render

CHUNK = 512
FLAGS = ("pure", "blend", "between", "partial", "ruin")
KINDS = ("portraits", "pairs")
SHARES = {"photo": 0.25, "pure": 0.40, "blend": 0.125, "between": 0.0625, "partial": 0.0625, "ruin": 0.10}
FAMILY = 4  # persons that share skin and hair color
RUN = 16  # pictures of one pair of domains, rendered together


@dataclass(frozen=True)
class PoolSettings:
    """What a pool holds; the same settings give the same pictures."""

    count: int = 64 * 1024
    size: int = 64  # pixels
    seed: int = 0
    kind: str = "portraits"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise UserError(f"a pool's kind is one of {', '.join(KINDS)}; got {self.kind!r}")
        if self.count < CHUNK or self.count % CHUNK:
            raise UserError(f"a pool's count needs to be a multiple of {CHUNK}; got {self.count}")


def _arrays(settings: PoolSettings) -> dict[str, tuple[str, tuple[int, ...]]]:
    n, s = settings.count, settings.size
    shapes = {"images": ("uint8", (n, 3, s, s)), "factors": ("float16", (n, NUM_FACTORS)), "classes": ("int8", (n, 2))}
    return shapes | {"share": ("float16", (n,)), "flag": ("int8", (n,)), "done": ("uint8", (n // CHUNK,))}


def create(folder: str | Path, settings: PoolSettings) -> None:
    """Make an empty pool, or go on with one of the same settings.

    Raises:
        UserError: if the folder holds a pool of other settings.
    """
    folder = Path(folder)
    if (folder / "pool.json").is_file():
        if (found := _settings(folder)) != settings:
            raise UserError(f"{folder} needs to hold a pool of {settings}; it holds {found}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, (dtype, shape) in _arrays(settings).items():
        with atomic_path(folder / f"{name}.bin") as temporary, open(temporary, "wb") as file:
            file.truncate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    with atomic_path(folder / "pool.json") as temporary:
        temporary.write_text(json.dumps(asdict(settings)), encoding="utf-8")


def _settings(folder: Path) -> PoolSettings:
    if not (folder / "pool.json").is_file():
        raise UserError(f"there needs to be a pool in {folder}; there is none, fill one first")
    return PoolSettings(**json.loads((folder / "pool.json").read_text(encoding="utf-8")))


def _open(folder: Path, mode: str) -> tuple[PoolSettings, dict[str, np.memmap]]:
    settings = _settings(folder)
    arrays = _arrays(settings).items()
    return settings, {name: np.memmap(folder / f"{name}.bin", dtype, mode, shape=shape) for name, (dtype, shape) in arrays}


def fill(folder: str | Path, part: int = 0, parts: int = 1, log=print, stop: int | None = None) -> None:
    """Render the missing chunks of one part of a pool.

    Args:
        folder: of `create`.
        part, parts: this process renders chunks part, part + parts, ...
        log: called with a line of progress now and then.
        stop: render at most so many chunks.
    """
    settings, arrays = _open(Path(folder), "r+")
    if not 0 <= part < parts:
        raise UserError(f"part needs to be from 0 to {parts - 1}; got {part}")
    todo = [k for k in range(part, len(arrays["done"]), parts) if not arrays["done"][k]][:stop]
    start = last = time.monotonic()
    for count, k in enumerate(todo, 1):
        made = chunk(settings, k)
        rows = slice(k * CHUNK, (k + 1) * CHUNK)
        for name, values in made.items():
            arrays[name][rows] = values.numpy()
            arrays[name].flush()
        arrays["done"][k] = 1
        arrays["done"].flush()
        now = time.monotonic()
        if now - last > 10 or count == len(todo):
            rate, last = count * CHUNK / (now - start), now
            left = (len(todo) - count) * CHUNK / rate / 60
            log(f"pool {settings.kind}: {count} of {len(todo)} chunks, {rate:.0f} pictures/s, {left:.1f} min left")


def chunk(settings: PoolSettings, number: int) -> dict[str, Tensor]:
    """One chunk, name -> tensor; a function of settings and number alone, in random order."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + number * 2 + (settings.kind == "pairs"))
    with torch.no_grad():
        if settings.kind == "pairs":
            return _pairs(settings.size, generator)
        made = _portraits(settings.size, generator)
    order = torch.randperm(CHUNK, generator=generator)
    return {name: values[order] for name, values in made.items()}


def _rows(images, factors, first, second, share, flag: str) -> dict[str, Tensor]:
    n = len(images)
    a, b = (torch.as_tensor([CLASSES.index(x) for x in names], dtype=torch.int8) for names in (first, second))
    share = torch.as_tensor(share, dtype=torch.float16).expand(n).clone()
    flags = torch.full((n,), FLAGS.index(flag), dtype=torch.int8)
    return {"images": to_uint8(images), "factors": factors.half(), "classes": torch.stack([a, b], 1), "share": share, "flag": flags}


def _join(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([p[name] for p in parts]) for name in parts[0]}


def _seeds(n: int, generator: torch.Generator) -> list[int]:
    return torch.randint(0, 2**31 - 1, (n,), generator=generator).tolist()


def _pure(names: list[str], size: int, generator: torch.Generator) -> dict[str, Tensor]:
    factors = sample_factors(len(names), generator)
    images = render(factors, names, size, _seeds(len(names), generator))
    return _rows(images, factors, names, names, 0.0, "pure")


def _two(generator: torch.Generator, source: str | None) -> tuple[str, str]:
    order = torch.randperm(len(DOMAINS) - 1, generator=generator)
    return source or DOMAINS[1 + int(order[0])], DOMAINS[1 + int(order[1])]


def _blended(n: int, size: int, generator: torch.Generator, source: str | None, flag: str) -> list[dict[str, Tensor]]:
    out = []
    for _ in range(n // RUN):
        a, b = _two(generator, source)
        factors, share = sample_factors(RUN, generator), torch.rand(RUN, generator=generator)
        images = blend(factors, a, b, share, size, _seeds(RUN, generator))
        out.append(_rows(images, factors, [a] * RUN, [b] * RUN, share, flag))
    return out


def _halves(size: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, str, str]:
    """The same people twice, as photo or another domain and in a target domain."""
    a, b = _two(generator, "photo" if float(torch.rand((), generator=generator)) < 0.75 else None)
    factors, seeds = sample_factors(RUN, generator), _seeds(RUN, generator)
    return render(factors, a, size, seeds), render(factors, b, size, seeds), factors, a, b


def _partial(n: int, size: int, generator: torch.Generator) -> tuple[list[dict[str, Tensor]], list[Tensor]]:
    out, couples = [], []
    for _ in range(n // (2 * RUN)):
        first, second, factors, a, b = _halves(size, generator)
        couples.append((first, second))
        for _ in range(2):
            mask = ruins.smooth_mask(RUN, size, generator)
            images, share = first + mask * (second - first), mask.mean(dim=(1, 2, 3))
            out.append(_rows(images, factors, [a] * RUN, [b] * RUN, share, "partial"))
    return out, couples


def _ruined(n: int, size: int, whole: dict[str, Tensor], couples, generator: torch.Generator) -> list[dict[str, Tensor]]:
    quarter = [n // 4 + (k < n % 4) for k in range(4)]

    def some(count):
        rows = torch.randint(0, len(whole["images"]), (count,), generator=generator)
        return from_uint8(whole["images"][rows])

    first, second = (torch.cat([c[i] for c in couples])[: quarter[3]] for i in (0, 1))
    made = {"noise": ruins.noise(quarter[0], size, generator), "blur": ruins.blur(some(quarter[1]), generator)}
    made |= {"scramble": ruins.scramble(some(quarter[2]), generator), "patchwork": ruins.patchwork(first, second, generator)}
    nobody = torch.full((n, NUM_FACTORS), 0.5)
    return [_rows(x, nobody[: len(x)], [name] * len(x), [name] * len(x), 0.0, "ruin") for name, x in made.items()]


def _portraits(size: int, generator: torch.Generator) -> dict[str, Tensor]:
    many = {name: int(share * CHUNK) for name, share in SHARES.items()}
    targets = [DOMAINS[1 + k % (len(DOMAINS) - 1)] for k in range(many["pure"])]
    parts = [_pure(["photo"] * many["photo"] + targets, size, generator)]
    parts += _blended(many["blend"], size, generator, "photo", "blend") + _blended(many["between"], size, generator, None, "between")
    partial, couples = _partial(many["partial"], size, generator)
    parts += partial
    whole = _join(parts)
    missing = CHUNK - len(whole["images"])
    return _join([whole, *_ruined(missing, size, whole, couples, generator)])


def _pairs(size: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Rows 2k and 2k + 1 are one person; each family of `FAMILY` persons shares skin and hair color."""
    people = CHUNK // 2
    who = sample_factors(people, generator).view(people // FAMILY, FAMILY, -1)
    shared = indices(["skin_tone", "skin_hue", "hair_color"])
    who[:, :, shared] = who[:, :1, shared]
    factors = sample_factors(CHUNK, generator)
    kept = indices(IDENTITY)
    factors[:, kept] = who.reshape(people, -1).repeat_interleave(2, 0)[:, kept]
    names = ["photo"] * CHUNK
    for k in range(people):
        if float(torch.rand((), generator=generator)) < 0.4:
            names[2 * k + 1] = DOMAINS[1 + int(torch.randint(0, len(DOMAINS) - 1, (), generator=generator))]
    images = render(factors, names, size, _seeds(CHUNK, generator))
    return _rows(images, factors, names, names, 0.0, "pure")


class Pool:
    """The finished chunks of a pool, for reading.

    Args:
        folder: of `create`.
        held_out: share of the chunks that no training sees.
    """

    def __init__(self, folder: str | Path, held_out: float = 0.04):
        self.settings, self.arrays = _open(Path(folder), "r")
        chunks = np.flatnonzero(self.arrays["done"])
        if len(chunks) == 0:
            raise UserError(f"a training needs a filled pool; {folder} has no finished chunk")
        kept = max(1, len(chunks) - max(1, round(held_out * len(chunks)))) if len(chunks) > 1 else 1
        rows = (torch.from_numpy(chunks.astype(np.int64))[:, None] * CHUNK + torch.arange(CHUNK)).flatten()
        self.train, self.test = rows[: kept * CHUNK], rows[kept * CHUNK :] if len(chunks) > 1 else rows
        self._epoch = (-1, -1, torch.empty(0))

    def rows(self, step: int, batch: int, seed: int, group: int = 1) -> Tensor:
        """The training rows of one step, ``[batch]``: every row once an epoch, groups of rows kept together."""
        number, size = len(self.train) // group, batch // group
        picked = [self._order((step * size + k) // number, number, seed)[(step * size + k) % number] for k in range(size)]
        starts = torch.stack(picked) * group
        return self.train[(starts[:, None] + torch.arange(group)).flatten()]

    def _order(self, epoch: int, number: int, seed: int) -> Tensor:
        if self._epoch[:2] != (epoch, seed) or len(self._epoch[2]) != number:
            generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
            self._epoch = (epoch, seed, torch.randperm(number, generator=generator))
        return self._epoch[2]

    def images(self, rows: Tensor) -> Tensor:
        """Pictures, ``[N, 3, H, W]`` in [-1, 1]."""
        return from_uint8(torch.from_numpy(self.arrays["images"][rows.numpy()]))

    def factors(self, rows: Tensor) -> Tensor:
        """Factors, ``[N, F]`` in [0, 1]."""
        return torch.from_numpy(self.arrays["factors"][rows.numpy()]).float().clamp(0, 1)

    def classes(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The two classes of each picture (equal if it is pure), ``[N, 2]``, and the share of the second, ``[N]``."""
        two = torch.from_numpy(self.arrays["classes"][rows.numpy()]).long()
        return two, torch.from_numpy(self.arrays["share"][rows.numpy()]).float()

    def shares(self, rows: Tensor) -> Tensor:
        """How much of each of `CLASSES` a picture is, ``[N, C]``, rows sum to 1."""
        two, share = self.classes(rows)
        a, b = (F.one_hot(two[:, k], len(CLASSES)).float() for k in (0, 1))
        return a + share[:, None] * (b - a)

    def flags(self, rows: Tensor) -> Tensor:
        """Which of `FLAGS` each picture is, ``[N]``."""
        return torch.from_numpy(self.arrays["flag"][rows.numpy()]).long()
