"""What an adapted picture ought to be: the same people, rendered in the target domain."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iplkit.features import judge_features
from iplkit.oracle.reader import Reader, Reading
from iplkit.world.factors import indices
from iplkit.world.render import render
from iplkit.world.truth import landmarks, part_masks

STRUCTURE = ("head", "hair_back", "hair_front", "neck", "clothes", "eye", "brow", "lip", "beard", "glasses")
MASK_SIZE = 32  # pixels; parts of a face are then a few pixels wide
LEAST_AREA = 1.0  # pixels; a part smaller than this in both pictures says nothing
OUTER_CORNERS = (36, 45)  # of the two eyes, in dlib's order


@dataclass(frozen=True)
class Counterparts:
    """True pictures of the people of a source set in a target domain, seen by judge and reader."""

    domain: str
    images: Tensor  # [N, 3, S, S] in [-1, 1]
    seen: dict[str, Tensor]  # of the judge
    again: dict[str, Tensor]  # of the judge, of the same people with other textures: what a perfect method scores
    reading: Reading  # what the reader makes of them: the best that an adapted picture can get


@torch.no_grad()
def counterparts(people: Tensor, domain: str, judge: nn.Module, reader: Reader, size: int, seed: int = 0) -> Counterparts:
    """Render people in a target domain, and look at the renders as one looks at generated pictures.

    Args:
        people: factors ``[N, F]`` read from source samples. A factor read badly is drawn as it was read.
        domain: target domain.
        judge: whose features.
        reader: reads the renders again.
        size: pixels.
        seed: of the textures; portrait i takes seed + i, and seed + N + i for the second look.
    """
    first, second = (render(people, domain, size, seed=s) for s in (seed, seed + len(people)))
    return Counterparts(domain, first, judge_features(judge, first), judge_features(judge, second), reader(first, domain))


def known_only(factors: Tensor, like: Tensor, known: list[str]) -> Tensor:
    """Factors with those that are not known taken from `like`, so that they cannot make a difference; ``[N, F]``."""
    out = like.clone()
    out[:, indices(known)] = factors[:, indices(known)]
    return out


def mask_overlap(before: Tensor, after: Tensor, size: int = MASK_SIZE, chunk: int = 100) -> Tensor:
    """How much of the true part masks two lists of people share: mean over parts of intersection over union.

    Both are drawn with the geometry of photos, so what counts is the people's own structure: pose, size, shape of
    the face, hair, mouth; not the large eyes that a domain gives to everybody.

    Args:
        before, after: factors ``[N, F]``, row by row.
        size: pixels of the masks.

    Returns:
        ``[N]`` in [0, 1]; 1 for equal structure.
    """
    rows = []
    for a, b in zip(before.split(chunk), after.split(chunk)):
        first, second = (part_masks(f, "photo", size) for f in (a, b))
        both = torch.stack([torch.minimum(first[p], second[p]).sum((1, 2)) for p in STRUCTURE], 1)
        either = torch.stack([torch.maximum(first[p], second[p]).sum((1, 2)) for p in STRUCTURE], 1)
        there = either > LEAST_AREA
        rows.append((both / either.clamp_min(1e-9) * there).sum(1) / there.sum(1).clamp_min(1))
    return torch.cat(rows)


def landmark_shift(before: Tensor, after: Tensor) -> Tensor:
    """Mean way of the 68 true landmarks between two lists of people, in distances of the outer eye corners, ``[N]``."""
    a, b = landmarks(before, "photo"), landmarks(after, "photo")
    unit = (a[:, OUTER_CORNERS[0]] - a[:, OUTER_CORNERS[1]]).norm(dim=-1)
    return (a - b).norm(dim=-1).mean(-1) / unit
