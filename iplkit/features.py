"""Features of image sets, one pass for all metrics.

One contract for every extractor: images in, a dictionary of ``[N, ...]`` float32 tensors on the CPU out. All images go
through 8 bits first, so that a stored picture and a fresh one get the same number.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.images import from_uint8, to_uint8

POOL = "pool"  # the judge's last feature layer, where distances are measured


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
