"""A text in place of a picture: CLIP's feature of a sentence lies beside those of all pictures. Does the bridge hold?

Each sentence claims something that the factors can confirm. So the judge reads the factors of what was drawn, and the world's
own predicates say whether the claim is true; pictures of which neither yes nor no is safe do not count.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.edit.bridge_pairs import text_features
from iplkit.edit.bridge_simple import nearest
from iplkit.edit.bridge_tiers import BLURS, Bench
from iplkit.findings import Finding
from iplkit.invert.studies.lab import measured
from iplkit.world.predicates import predicate_index, truth

TEXTS = {
    "a photo of a man": "man", "a photo of a woman": "woman", "a photo of an old person": "old", "a photo of a young person": "young",
    "a photo of a happy person": "happy", "a photo of a sad person": "sad", "a photo of a person with glasses": "glasses",
    "a photo of a person with a beard": "beard", "a photo of a person with long hair": "long", "a photo of a bald person": "bald",
    "a photo of a person with curly hair": "curly", "a photo of a person with black hair": "black",
    "a photo of a person with golden hair": "golden", "a photo of a person with grey hair": "grey",
    "a photo of a person with pale skin": "pale", "a photo of a person with dark skin": "dark",
}  # fmt: skip
PLAIN = "a photo of a person"
COUNT = 8  # codes a text
CHOICE = 4  # draws to choose one of


def towards(text: Tensor, plain: Tensor, middle: Tensor) -> Tensor:
    """A feature where pictures are: the pictures' middle, moved as the text moves from the plain text.

    Args:
        text, plain: features of the texts and of the plain one, ``[N, E]`` and ``[1, E]``.
        middle: mean feature of pictures, ``[E]``.
    """
    return F.normalize(middle + (text - plain), dim=-1)


def told(images: Tensor, bench: Bench, claims: list[str]) -> Tensor:
    """Whether each picture's claim is true, ``[N]``: 1, 0 or NaN."""
    said = truth(bench.head(images, "photo").factors.clamp(0, 1))
    return said[torch.arange(len(images)), [predicate_index(name) for name in claims]]


def bridge_texts(bench: Bench) -> Finding:
    """Sentences by every tier; draws of the prior with growing blur."""
    e, plain = text_features(bench.clip, list(TEXTS)), text_features(bench.clip, [PLAIN])
    moved = towards(e, plain, bench.bridge.centre.mean)
    wide, shifted = e.repeat_interleave(COUNT, 0), moved.repeat_interleave(COUNT, 0)
    n, net = len(wide), bench.bridge
    ways = {
        "somebody": bench.gallery.w[:n],
        "retrieval": top(bench, e),
        "ridge": net.w(wide, "ridge"),
        "network": net.w(wide, "network"),
        **{f"prior, {name}": net.draw(e, COUNT, bench.rng, a).flatten(0, 1) for name, a in BLURS.items()},
        "prior, full blur, guidance 2": net.draw(e, COUNT, bench.rng, 1.0, 2.0).flatten(0, 1),
        "prior, full blur, best of 4": bench.best_draw(wide, CHOICE, amount=1.0),
        "network, text direction": net.w(shifted, "network"),
        "prior, text direction": net.draw(moved, COUNT, bench.rng, 0.5).flatten(0, 1),
    }
    claims, rows, shown = [c for c in TEXTS.values() for _ in range(COUNT)], [], {}
    for name, w in ways.items():
        images = bench.draw(w)
        said, alike = told(images, bench, claims).view(-1, COUNT), (bench.seen(images) * wide).sum(1).view(-1, COUNT)
        photo, length = (x.view(-1, COUNT).mean(1) for x in (bench.lab.domain_share(images), net.unusual(w)))
        columns = measured(true=said.nanmean(1), similarity=alike.mean(1), called_photo=photo, length=length)
        rows.append({"way": name} | columns | measured(LPIPS_of_two=_two(images, bench)))
        shown[name] = images[::COUNT]
    return Finding("texts", rows, bench.about | {"n": len(TEXTS), "count": COUNT}, shown)


def top(bench: Bench, e: Tensor) -> Tensor:
    """The nearest `COUNT` samples of each text, ``[N, E]`` -> ``[N COUNT, D]``."""
    rows = (e @ bench.gallery.e.T).topk(min(COUNT, len(bench.gallery)), dim=1).indices
    assert torch.equal(bench.gallery.w[rows[:, 0]], nearest(bench.gallery, e))
    return bench.gallery.w[rows.flatten()]


def _two(images: Tensor, bench: Bench) -> Tensor:
    """LPIPS of the first two pictures of each text."""
    return bench.lab.lpips(images[::COUNT], images[1::COUNT])
