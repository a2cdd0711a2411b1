"""Features of image sets, one pass for all metrics.

One contract for every extractor (`iplkit.extractors.base`): uint8 images in, a dictionary of ``[N, ...]`` float32
tensors on the CPU out. All images go through 8 bits first, so that a stored picture and a fresh one get the same number.

Images may come as a stream, straight from a generator. They are looked at in blocks of `BLOCK`, however they come, so
that one block is one entry of the cache, and an interrupted pass goes on where it was.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.extractors.base import Extractor
from iplkit.extractors.cache import block_key, read_block, write_block
from iplkit.images import from_uint8, to_uint8
from iplkit.weights import read_weights, write_weights

POOL = "pool"  # the judge's last feature layer, where distances are measured
BLOCK = 64  # images that one cache file holds
KIND = "features"


@dataclass(frozen=True)
class Features:
    """Layers of a set of images, and where they come from.

    Args:
        layers: name -> float32 on the CPU, ``[N, ...]``.
        origin: extractor, profile, sha256 of the weights, protocol, whether they are random, number, size (height,
            width) and sha256 of the images; and what the caller adds.
    """

    layers: dict[str, Tensor]
    origin: dict = field(default_factory=dict)

    def __getitem__(self, layer: str) -> Tensor:
        if layer not in self.layers:
            raise UserError(f"these features have the layers {', '.join(self.layers)}; got {layer!r}")
        return self.layers[layer]

    def __len__(self) -> int:
        return len(next(iter(self.layers.values())))

    def save(self, path: str | Path) -> None:
        """Write layers and origin into one safetensors file, whole or not at all."""
        write_weights(path, self.layers, {"kind": KIND, "origin": self.origin})

    @classmethod
    def load(cls, path: str | Path) -> "Features":
        """Read what `save` wrote.

        Raises:
            UserError: if the file is damaged, or holds something else.
        """
        tensors, record = read_weights(path)
        if record.get("kind") != KIND:
            raise UserError(f"{path} needs to hold features; it holds {record.get('kind', 'something else')}")
        return cls(tensors, record["origin"])


def extract(
    extractor: Extractor,
    images: Tensor | Iterable[Tensor],
    layers: Sequence[str] | None = None,
    *,
    cache: Path | None = None,
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> Features:
    """Layers of a set of images in one pass.

    Args:
        extractor: whose layers.
        images: ``[N, 3, H, W]``, uint8 or float in [-1, 1]; or an iterable of such batches of any sizes.
        layers: which; None is all that the extractor has.
        cache: folder of stored features; None keeps none.
        batch_size: images that the network sees at once. It decides the speed, and values only up to rounding.
        progress: called with the number of images after each block.

    Returns:
        `Features`; the rows in the order of the images.

    Raises:
        UserError: no image, images of different sizes, an unknown layer, or features that are not finite.
    """
    return extract_many([(extractor, layers)], images, cache=cache, batch_size=batch_size, progress=progress)[0]


def extract_many(
    requests: Sequence[tuple[Extractor, Sequence[str] | None]],
    images: Tensor | Iterable[Tensor],
    *,
    cache: Path | None = None,
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> list[Features]:
    """Layers of several extractors in one pass over the images, so that a generator draws each image once.

    Args:
        requests: extractors, each with the layers wanted of it.
        images, cache, batch_size, progress: see `extract`.

    Returns:
        One `Features` a request.
    """
    wanted = [(extractor, extractor.check_layers(layers)) for extractor, layers in requests]
    rows, digest, n, size = [[] for _ in wanted], hashlib.sha256(), 0, ()
    for block in blocks(images):
        digest.update(block.contiguous().numpy())
        for found, (extractor, layers) in zip(rows, wanted, strict=True):
            found.append(_block_features(extractor, block, layers, cache, batch_size))
        n, size = n + len(block), block.shape[-2:]
        if progress is not None:
            progress(len(block))
    about = {"n": n, "size": list(size), "images": digest.hexdigest()}
    return [Features(_collect(found), extractor.origin() | about) for found, (extractor, _) in zip(rows, wanted, strict=True)]


def blocks(images: Tensor | Iterable[Tensor], size: int = BLOCK) -> Iterator[Tensor]:
    """Images in blocks of `size`, however they come; the last block may be smaller.

    Args:
        images: see `extract`.
        size: images a block.

    Yields:
        uint8 on the CPU, ``[n, 3, H, W]``.

    Raises:
        UserError: if something else comes, or the images differ in size.
    """
    waiting, shape = [], None
    for part in images.split(size) if isinstance(images, Tensor) else images:
        part = _as_bytes(part)
        shape = shape or part.shape[1:]
        if part.shape[1:] != shape:
            raise UserError(f"images of one set need one size; got {tuple(shape[1:])} and {tuple(part.shape[2:])} pixels")
        waiting.append(part)
        while sum(map(len, waiting)) >= size:
            joined = torch.cat(waiting)
            yield joined[:size]
            waiting = [joined[size:]]
    if sum(map(len, waiting)):
        yield torch.cat(waiting)


def _as_bytes(part: Tensor) -> Tensor:
    if part.ndim != 4 or part.shape[1] != 3:
        raise UserError(f"images must be [N, 3, H, W]; got {tuple(part.shape)}")
    return (part if part.dtype == torch.uint8 else to_uint8(part)).cpu()


def _block_features(
    extractor: Extractor, block: Tensor, layers: tuple[str, ...], cache: Path | None, batch_size: int
) -> dict[str, Tensor]:
    """From the cache, or computed and kept; layers that are too large to keep are always computed."""
    kept = cache if not set(layers) & set(extractor.bulky) else None
    key = block_key(extractor, layers, block) if kept is not None else ""
    found = read_block(kept, key, layers, len(block)) if kept is not None else None
    if found is not None:
        return found
    found = _collect([extractor(batch, layers) for batch in block.split(batch_size)])
    for layer, values in found.items():
        if not bool(values.isfinite().all()):
            raise UserError(f"features need finite values; layer {layer} of {extractor.name} has some that are not")
    if kept is not None:
        write_block(kept, key, found)
    return found


def batches(images: Tensor | Iterable[Tensor], batch_size: int = 100) -> Iterator[Tensor]:
    """Image batches as a network wants them.

    Args:
        images: ``[N, 3, H, W]``, uint8 or float in [-1, 1]; or an iterable of such batches, taken as they come.
        batch_size: images a batch, where `images` is one tensor.

    Yields:
        ``[n, 3, H, W]`` float in [-1, 1], rounded to 8 bits.

    Raises:
        UserError: if something else comes.
    """
    parts = images.split(batch_size) if isinstance(images, Tensor) else images
    for part in parts:
        if part.ndim != 4 or part.shape[1] != 3:
            raise UserError(f"images must be [N, 3, H, W]; got {tuple(part.shape)}")
        yield from_uint8(part if part.dtype == torch.uint8 else to_uint8(part))


def _collect(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    if not rows:
        raise UserError("features need at least one image; got none")
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def device_of(module: nn.Module) -> torch.device:
    """Where a network's weights are."""
    return next(module.parameters()).device


@torch.no_grad()
def judge_features(judge: nn.Module, images: Tensor | Iterable[Tensor], batch_size: int = 100) -> dict[str, Tensor]:
    """Everything the judge says of a set of images.

    Args:
        judge: a network whose readout has domain_logits, kinds_logits, factors and features with "pool".
        images: see `batches`.
        batch_size: images a batch.

    Returns:
        "pool" ``[N, D]``; "domain_probs" ``[N, C]`` and "kinds_probs" ``[N, K]``, rows that sum to 1; "factors"
        ``[N, F]`` in [0, 1].
    """
    rows = []
    if (tell := getattr(judge, "tell", None)) is not None:  # the papers' Inception, which knows less
        told = [{name: value.float().cpu() for name, value in tell(batch.to(device_of(judge))).items()} for batch in batches(images, batch_size)]
        return judge.only(_collect(told))
    for batch in batches(images, batch_size):
        out = judge(batch.to(device_of(judge)))
        if POOL not in out.features:
            raise UserError(f"a judge must name the feature layer {POOL!r}; this one names {', '.join(out.features)}")
        row = {"pool": out.features[POOL].flatten(1), "factors": out.factors}
        row |= {"domain_probs": out.domain_logits.double().softmax(1), "kinds_probs": out.kinds_logits.double().softmax(1)}
        rows.append({name: value.float().cpu() for name, value in row.items()})
    return _collect(rows)


@torch.no_grad()
def clip_features(clip: nn.Module, images: Tensor | Iterable[Tensor], batch_size: int = 100) -> Tensor:
    """CLIP's image features, ``[N, E]`` on the unit sphere."""
    found = [clip.encode_image(batch.to(device_of(clip))).float() for batch in batches(images, batch_size)]
    return _collect([{"clip": nn.functional.normalize(x, dim=-1).cpu()} for x in found])["clip"]


@torch.no_grad()
def identity_features(identity: nn.Module, images: Tensor | Iterable[Tensor], batch_size: int = 100) -> Tensor:
    """Identity embeddings, ``[N, 128]`` on the unit sphere."""
    found = [identity(batch.to(device_of(identity))).float().cpu() for batch in batches(images, batch_size)]
    return _collect([{"identity": x} for x in found])["identity"]
