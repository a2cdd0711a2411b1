"""What can stand on either side of a comparison: a folder of pictures, a generator or its record, or a file of features.

Each kind says how many images there are, of which size, which of them belong together with the other side's, and
gives them in batches of bytes. Everything that does not fit is refused before anything is computed.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor, nn

from iplkit import zoo
from iplkit.differences import apply_difference
from iplkit.errors import UserError
from iplkit.features import Features, device_of
from iplkit.images import read_image, to_uint8
from iplkit.latents import z_from_seeds
from iplkit.stylegan2.checkpoints import load_generator
from iplkit.weights import file_kind, read_metadata, sha256

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
COLORS = {"L": "gray", "1": "gray", "I;16": "gray", "I": "gray", "F": "gray"}
COLORS |= {"RGBA": "transparent", "LA": "transparent", "PA": "transparent"}
DRAW = 16  # latents drawn at once


class Folder:
    """All pictures of a folder, in the order of their names.

    Args:
        path: the folder.
        n: only the first n; None takes all.

    Raises:
        UserError: no picture, fewer than n, a file that is no picture, or pictures of two sizes or color modes.
    """

    def __init__(self, path: Path, n: int | None = None):
        self.path, self.label = Path(path), str(path)
        files = sorted(p for p in self.path.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != ".")
        if not files:
            raise UserError(f"{path} needs pictures ({', '.join(sorted(ENDINGS))}); it holds none")
        if n is not None and len(files) < n:
            raise UserError(f"{path} needs {n} pictures; it holds {len(files)}")
        self.files = files[:n]
        self.n = len(self.files)
        self.keys = tuple(p.stem for p in self.files)
        (self.size, self.color), first = _looks(self.files[0]), self.files[0].name
        for file in self.files[1:]:
            size, color = _looks(file)
            if size != self.size:
                raise UserError(f"{path} needs pictures of one size; {first} has {_by(self.size)} pixels and {file.name} {_by(size)}")
            if color != self.color:
                raise UserError(f"{path} needs pictures of one color mode; {first} is {self.color} and {file.name} {color}")

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Tensor]:
        """Pictures `start` to `stop`, all by default: uint8, ``[1, 3, H, W]`` each."""
        for file in self.files[start:stop]:
            yield to_uint8(read_image(file))

    def origin(self) -> dict:
        """For the record: kind, name and number."""
        return {"kind": "folder", "name": self.path.name, "n": self.n}


def _looks(file: Path) -> tuple[tuple[int, int], str]:
    """Size (height, width) and color mode from a picture's first bytes."""
    if file.stat().st_size == 0:
        raise UserError(f"{file} needs to be a picture; it is empty")
    try:
        with Image.open(file) as image:
            turned = image.getexif().get(274, 1) in (5, 6, 7, 8)
            return (image.size if turned else image.size[::-1]), COLORS.get(image.mode, "color")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"{file} needs to be a whole picture; it is damaged or something else") from error


class Samples:
    """Images of a generator, drawn when they are asked for and never written.

    Image i comes from the latent code of seed ``seed + i``. Noise is the stored one, so two generators that share it
    differ by their weights alone.

    Args:
        generator: z to images in about [-1, 1].
        label: what to call it.
        n: how many.
        seed: of the first image.
        digest: SHA-256 of the file it came from.
    """

    color = "color"

    def __init__(self, generator: nn.Module, label: str, n: int, seed: int, digest: str = ""):
        self.generator, self.label, self.n, self.seed, self.digest = generator.eval(), label, n, seed, digest
        self.z_dim = generator.config.z_dim
        self.size = (generator.config.size,) * 2
        self.keys = tuple(f"z{self.z_dim} seed {seed + i}" for i in range(n))

    @torch.inference_mode()
    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Tensor]:
        """Pictures `start` to `stop`, all by default: uint8, ``[n, 3, H, W]``."""
        stop = self.n if stop is None else stop
        for first in range(start, stop, DRAW):
            z = z_from_seeds(range(self.seed + first, self.seed + min(first + DRAW, stop)), self.z_dim)
            yield to_uint8(self.generator(z.to(device_of(self.generator)), noise_mode="const")).cpu()

    def share_noise(self, other: "Samples") -> None:
        """Take over another generator's stored noise, where the two are built alike."""
        mine, theirs = dict(self.generator.named_buffers()), dict(other.generator.named_buffers())
        noise = [name for name in mine if name.endswith("noise_const")]
        if all(name in theirs and theirs[name].shape == mine[name].shape for name in noise):
            for name in noise:
                mine[name].copy_(theirs[name])

    def origin(self) -> dict:
        """For the record: kind, name, number, seed, and the hash of the generator's file."""
        about = {"kind": "generator", "name": Path(self.label).name, "n": self.n, "seed": self.seed}
        return about | {"sha256": self.digest, "truncation_psi": 1.0, "noise": "stored"}


class Stored:
    """Features that were kept in a file; metrics are limited to the layers there are."""

    def __init__(self, path: Path, features: Features):
        self.path, self.label, self.features, self.n = Path(path), str(path), features, len(features)
        self.size, self.color = tuple(features.origin.get("size", ())), features.origin.get("color", "color")
        self.keys = tuple(features.origin.get("keys", ()))

    def origin(self) -> dict:
        """For the record: kind, name, number, and where the features say they come from."""
        return {"kind": "features", "name": self.path.name, "n": self.n, "from": self.features.origin}


Set = Folder | Samples | Stored


def open_set(what: str | Path, n: int | None = None, seed: int = 0, device: str = "cpu") -> Set:
    """The set that a word on the command line means.

    Args:
        what: a folder, a generator's file, the record (``.json``) beside an adapted generator, a file of features,
            or a generator of the zoo ("generator", "nada-sketch").
        n: how many images; None takes all of a folder or file, and 1000 of a generator.
        seed: of the first latent.
        device: where a generator draws.

    Raises:
        UserError: if it is nothing of these.
    """
    path = Path(what)
    if path.is_dir():
        return Folder(path, n)
    if path.is_file():
        return _open_file(path, n, seed, device)
    known = ["generator", *zoo.adapted_names()]
    if str(what) not in known:
        raise UserError(f"{what} needs to be a folder, a file, or a generator of the zoo; {zoo.nearest(str(what), known)}")
    generator = zoo.load("generator") if str(what) == "generator" else zoo.adapted(str(what))
    file = zoo.entry("generator").file if str(what) == "generator" else f"{zoo.ADAPTED}/{what}.safetensors"
    return Samples(generator.to(device), str(what), n or 1000, seed, zoo.hashes().get(file, ""))


def _open_file(path: Path, n: int | None, seed: int, device: str) -> Set:
    if path.suffix in (".json", ".csv"):
        file, generator = _of_record(path)
        return Samples(generator.to(device), str(file), n or 1000, seed, sha256(file))
    record = read_metadata(path) if file_kind(path) == "safetensors" else {}
    if record.get("kind") == "features":
        features = Features.load(path)
        if n is not None and n > len(features):
            raise UserError(f"{path} needs features of {n} images; it has {len(features)}")
        broken = next((layer for layer, values in features.layers.items() if not bool(values.isfinite().all())), None)
        if broken is not None:
            raise UserError(f"{path} needs finite features; layer {broken} has some that are not")
        rows = {layer: values[:n] for layer, values in features.layers.items()}
        return Stored(path, Features(rows, features.origin | {"keys": list(features.origin.get("keys", ()))[:n]}))
    if record.get("kind") == "difference":
        generator = apply_difference(path, zoo.load("generator"), zoo.hashes()[zoo.entry("generator").file])
    else:
        generator = load_generator(path)
    return Samples(generator.to(device), str(path), n or 1000, seed, sha256(path))


def _of_record(path: Path) -> tuple[Path, nn.Module]:
    """The generator that a record of `iplkit adapt` stands beside, and its file; other tables and pages are refused."""
    try:
        text = path.read_text(encoding="utf-8")
        page = json.loads(text) if path.suffix == ".json" else {}
    except ValueError as error:
        raise UserError(f"{path} needs to be the record of an adapted generator; it is damaged or something else") from error
    page = page if isinstance(page, dict) else {}
    if {"scores", "skipped"} <= set(page) or (path.suffix == ".csv" and text.startswith("metric,")):
        sides = f" of {page['a'].get('name')} and {page['b'].get('name')}" if page else ""
        raise UserError(f"{path} is the result of an earlier comparison{sides}; a comparison needs the pictures or generators themselves")
    if page.get("kind") != "adapted generator":
        raise UserError(f"{path} needs to be the record of an adapted generator, as iplkit adapt writes it; it is something else")
    file, profile = path.with_suffix(".safetensors"), page.get("profile", "world")
    if not file.is_file():
        raise UserError(f"{path} needs its generator beside it, {file.name}; it is not there")
    if page.get("sha256") != sha256(file):
        raise UserError(f"{path} needs the generator that it was written for; {file.name} is another one")
    return file, apply_difference(file, zoo.load("generator", profile), sha256(zoo.path_of("generator", profile)))


def check_alike(a: Set, b: Set) -> None:
    """Refuse two sets whose images no metric compares fairly.

    Raises:
        UserError: different size or color mode.
    """
    if a.size and b.size and a.size != b.size:
        raise UserError(f"both sets need one size; {a.label} has {_by(a.size)} pixels and {b.label} {_by(b.size)}; resize one, with antialias")
    if a.color != b.color:
        raise UserError(f"both sets need one color mode; {a.label} is {a.color} and {b.label} {b.color}")


def why_unpaired(a: Set, b: Set) -> str:
    """Why image i of one set does not belong to image i of the other; empty if it does."""
    if a.keys == b.keys and a.keys:
        return ""
    if not a.keys or not b.keys:
        return "the images of both sets need names or latents that pair them; stored features carry none"
    first, second = set(a.keys), set(b.keys)
    alone = next((key for key in a.keys if key not in second), None) or next((key for key in b.keys if key not in first), None)
    if alone is None:
        return "pairs need the same order in both sets"
    where, other = (a, b) if alone in first else (b, a)
    return f"pairs need equal names in both sets; {alone} is in {where.label} and not in {other.label}"


def keys_hash(keys: tuple[str, ...]) -> str:
    """SHA-256 of the names or latents of a set, in order."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _by(size: tuple[int, int]) -> str:
    return " x ".join(map(str, size))
