"""Every metric of `iplkit evaluate` in one table: what it reads, how many images it bears, what to use instead.

A metric reads *roles*, and the profile decides who plays them: "pool" is the judge's last layer in the world, and
Inception's in the papers. It works on two sets ("sets"), on images that belong together ("pairs"), or on one set at a
time ("each"); then both sides are measured, since most such numbers mean something only beside the source's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import torch
from torch import Tensor

from iplkit.extractors.base import Extractor
from iplkit.extractors.lpips import lpips_matrix, lpips_of_pairs
from iplkit.metrics.clip_direction import clip_direction, direction_agreement, text_margin
from iplkit.metrics.cmmd import cmmd
from iplkit.metrics.diversity import prdc
from iplkit.metrics.frechet import fid
from iplkit.metrics.frechet_infinity import fid_infinity
from iplkit.metrics.identity import identity
from iplkit.metrics.inception_score import inception_score_of_logits, is_ref, is_torchvision
from iplkit.metrics.intra_lpips import intra_lpips_medoids, intra_lpips_nearest
from iplkit.metrics.kernel import kid, kid_interval
from iplkit.metrics.score import Score, mean_score
from iplkit.metrics.scs import scs, soft_dice
from iplkit.metrics.sifid import MapMoments, map_moments, sifid_pairs, sifid_score
from iplkit.metrics.vendi import vendi

REFERENCES = 10  # SIFID compares with single images; more than these are a set
WORLD_ROLES = {
    "pool": ("inception", "pool"),
    "kinds": ("inception", "kinds_logits"),
    "alike": ("inception", "pool"),
    "edges": ("edges", "edges"),
    "identity": ("identity", "embedding"),
    "clip": ("clip", "embedding"),
    "map": ("texture", "stem"),
    "lpips": ("lpips", "lpips"),
}
PAPER_ROLES = {
    "pool": ("inception", "pool"),
    "logits of the reference": ("inception", "logits_unbiased"),
    "logits of torchvision": ("texture", "logits"),
    "alike": ("dinov2", "embedding"),
    "dinov2": ("dinov2", "embedding"),
    "edges": ("edges", "edges"),
    "identity": ("identity", "embedding"),
    "clip": ("clip", "embedding"),
    "map64": ("texture", "map64"),
    "map192": ("texture", "map192"),
    "lpips": ("lpips", "lpips"),
}
ROLES = {"world": WORLD_ROLES, "paper": PAPER_ROLES}
FROM_IMAGES = {"lpips", "map", "map64", "map192"}  # too large to keep for a whole set: computed image by image


@dataclass
class Inputs:
    """What the metrics compute on.

    Args:
        a, b: role -> features, ``[N, ...]``.
        images_a, images_b: the first images of each side, uint8 ``[N, 3, H, W]``, for roles of `FROM_IMAGES`.
        extractors: role -> who plays it.
        texts: embeddings of the two captions, ``[E]`` each.
        rounds: of the bootstrap; 0 for none.
        seed: of the bootstrap.
        shared: what several metrics compute together.
    """

    a: dict[str, Tensor] = field(default_factory=dict)
    b: dict[str, Tensor] = field(default_factory=dict)
    images_a: Tensor | None = None
    images_b: Tensor | None = None
    extractors: dict[str, Extractor] = field(default_factory=dict)
    texts: tuple[Tensor, Tensor] | None = None
    rounds: int = 0
    seed: int = 0
    shared: dict = field(default_factory=dict)


Plan = tuple[Callable[..., Score], list]  # a score, and the sets it is drawn from: a tuple inside is paired


@dataclass(frozen=True)
class Metric:
    """A row of the table.

    Args:
        name: on the command line.
        about: one line for ``--help``.
        works_on: "sets", "pairs" or "each".
        role: what it reads.
        plan: inputs (and, for "each", the side "a" or "b") -> what to compute, and on which sets.
        minimum: images that each side needs; or per profile.
        instead: what bears fewer.
        captions: it needs the two captions.
        references: A must be a few single images.
        default: computed if no metric is named.
    """

    name: str
    about: str
    works_on: str
    role: str
    plan: Callable[..., Plan]
    minimum: int | dict[str, int]
    instead: str = ""
    captions: bool = False
    references: bool = False
    default: bool = True

    def needs(self, profile: str) -> int:
        """Images of each side."""
        return self.minimum if isinstance(self.minimum, int) else self.minimum[profile]


def _sets(function: Callable[..., Score], role: str = "pool") -> Callable[[Inputs], Plan]:
    return lambda inputs: (function, [inputs.a[role], inputs.b[role]])


def _pairs(function: Callable[..., Score], role: str) -> Callable[[Inputs], Plan]:
    return lambda inputs: (function, [(inputs.a[role], inputs.b[role])])


def _each(function: Callable[..., Score], role: str) -> Callable[[Inputs, str], Plan]:
    return lambda inputs, side: (function, [getattr(inputs, side)[role]])


def _kid(role: str = "pool") -> Callable[[Inputs], Plan]:
    """KID draws its own rounds: the kernel is computed once."""

    def plan(inputs: Inputs) -> Plan:
        if not inputs.rounds:
            return kid, [inputs.a[role], inputs.b[role]]
        return lambda: kid_interval(inputs.a[role], inputs.b[role], rounds=inputs.rounds, seed=inputs.seed), []

    return plan


def _prdc(name: str) -> Callable[[Inputs], Plan]:
    """One pass serves the four of them. No resampling: a repeated image is its own nearest neighbor, so all balls shrink."""

    def plan(inputs: Inputs) -> Plan:
        inputs.shared.setdefault("prdc", lru_cache(prdc))
        return lambda: _normal_interval(inputs.shared["prdc"](inputs.a["pool"], inputs.b["pool"])[name], name), []

    return plan


def _normal_interval(score: Score, name: str) -> Score:
    """95 % from the standard error, the balls taken as they are."""
    reach = 1.959964 * score.spread
    low, high = max(0.0, score.value - reach), score.value + reach
    high = high if name == "density" else min(1.0, high)
    return replace(score, interval=(low, high), settings=score.settings | {"interval": "standard error, balls held fixed"})


def _scs(inputs: Inputs) -> Plan:
    """Pairs are compared once; the bootstrap draws their values."""
    a, b = inputs.a["edges"], inputs.b["edges"]
    score = scs(a, b)
    values = soft_dice(a.double(), b.double())
    return lambda v: replace(score, value=v.mean().item()), [values[:, None]]


def _clip_direction(inputs: Inputs) -> Plan:
    return lambda a, b: clip_direction(a, b, *inputs.texts), [(inputs.a["clip"], inputs.b["clip"])]


def _clip_margin(inputs: Inputs, side: str) -> Plan:
    return lambda images: text_margin(images, *inputs.texts), [getattr(inputs, side)["clip"]]


def _lpips(inputs: Inputs) -> Plan:
    values = lpips_of_pairs(inputs.extractors["lpips"], inputs.images_a, inputs.images_b)
    return lambda v: mean_score("LPIPS", v[:, 0], len(v), protocol="pairs of one latent"), [values[:, None]]


def _intra_lpips(inputs: Inputs, side: str) -> Plan:
    """Without an interval: medoids found anew on repeated images would sit on the repetitions."""
    images = inputs.images_a if side == "a" else inputs.images_b
    return lambda: intra_lpips_medoids(lpips_matrix(inputs.extractors["lpips"], images)), []


def _intra_lpips_nearest(inputs: Inputs) -> Plan:
    """Around the few images of A. Without an interval: a repeated image would be a pair of distance 0."""
    images = torch.cat([inputs.images_b, inputs.images_a])
    distances, n = lpips_matrix(inputs.extractors["lpips"], images), len(inputs.images_b)
    return lambda: intra_lpips_nearest(distances[:n, :n], distances[:n, n:], seed=inputs.seed), []


def _cosine(a: Tensor, b: Tensor) -> Score:
    """As ID, of a network that was taught no persons; the cosines of different latents stand beside it."""
    return replace(identity(a, b), name="DINOv2 cosine")


def moments_of_maps(extractor: Extractor, images: Tensor, layer: str, batch_size: int = 8) -> MapMoments:
    """Moments of a layer's maps, a batch of images at a time; the maps are not kept.

    Args:
        extractor: whose layer.
        images: uint8, ``[N, 3, H, W]``.
        layer: with maps ``[n, C, h, w]``.
        batch_size: images at once.
    """
    parts = [map_moments(extractor(batch, [layer])[layer]) for batch in images.split(batch_size)]
    return MapMoments(torch.cat([p.mean for p in parts]), torch.cat([p.covariance for p in parts]), parts[0].positions)


def _sifid(role: str, layer: str, name: str) -> Callable[[Inputs], Plan]:
    def plan(inputs: Inputs) -> Plan:
        found = [moments_of_maps(inputs.extractors[role], images, layer) for images in (inputs.images_a, inputs.images_b)]
        pairs = sifid_pairs(*found)  # [R, N]
        return lambda columns: sifid_score(columns.T, name, layer=layer, positions=found[0].positions), [pairs.T]

    return plan


def _is_world(logits: Tensor) -> Score:
    return inception_score_of_logits(logits, name="IS (judge)", protocol="kinds of the judge")


def fid_any(real: Tensor, fake: Tensor) -> Score:
    """FID for any number of images, exact by rank."""
    return fid(real, fake, low_rank=True)


FULL = {"world": 257, "paper": 2049}  # one more than the features of the pool
TABLE = (
    Metric("fid", "Frechet distance of A and B", "sets", "pool", _sets(fid_any), FULL, "kid, or fid_low_rank between sets of equal N"),
    Metric("fid_low_rank", "the same, exact also below full rank; only between sets of equal N", "sets", "pool", _sets(fid_any), 16, "kid", default=False),
    Metric("fid_infinity", "FID extrapolated to endless samples", "sets", "pool", _sets(fid_infinity), {"world": 2048, "paper": 16384}, "kid", default=False),
    Metric("kid", "kernel distance of A and B, unbiased at any N", "sets", "pool", _kid(), 10, "scs or id, which need only pairs"),
    Metric("precision", "share of B inside A", "sets", "pool", _prdc("precision"), 20, "kid"),
    Metric("recall", "share of A inside B", "sets", "pool", _prdc("recall"), 20, "kid"),
    Metric("density", "how deep B lies inside A", "sets", "pool", _prdc("density"), 20, "kid"),
    Metric("coverage", "share of A that has B near it", "sets", "pool", _prdc("coverage"), 20, "kid"),
    Metric("fd_dinov2", "Frechet distance in DINOv2's features", "sets", "dinov2", _sets(fid_any, "dinov2"), 1025, "kd_dinov2"),
    Metric("kd_dinov2", "kernel distance in DINOv2's features", "sets", "dinov2", _kid("dinov2"), 10, "scs or id, which need only pairs"),
    Metric("cmmd", "distance of the means in CLIP's features", "sets", "clip", _sets(cmmd, "clip"), 10, "kid"),
    Metric("is_judge", "Inception Score with the judge's kinds", "each", "kinds", _each(_is_world, "kinds"), 100, "vendi"),
    Metric("is_ref", "Inception Score of the reference: 1008 classes, no bias", "each", "logits of the reference", _each(is_ref, "logits of the reference"), 100, "vendi"),
    Metric("is_torchvision", "Inception Score as IPL and RSSA computed it", "each", "logits of torchvision", _each(is_torchvision, "logits of torchvision"), 100, "vendi"),
    Metric("vendi", "how many different images a set is worth", "each", "alike", _each(vendi, "alike"), 10, "a look at the pictures"),
    Metric("scs", "structure kept, pair by pair", "pairs", "edges", _scs, 1),
    Metric("id", "person kept, pair by pair", "pairs", "identity", _pairs(identity, "identity"), 1),
    Metric("lpips", "how far the pictures moved, pair by pair", "pairs", "lpips", _lpips, 1),
    Metric("intra_lpips", "diversity within clusters of like pictures; divide B by A", "each", "lpips", _intra_lpips, 50, "vendi"),
    Metric("intra_lpips_nearest", "diversity of B around each of the few training images in A", "sets", "lpips", _intra_lpips_nearest, 1, references=True, default=False),
    Metric("dinov2_cosine", "content kept, pair by pair, in DINOv2's features", "pairs", "dinov2", _pairs(_cosine, "dinov2"), 1),
    Metric("clip_direction", "did the pictures move as the captions did?", "pairs", "clip", _clip_direction, 1, captions=True),
    Metric("direction_agreement", "do all pictures move alike? near 1 is a collapse", "pairs", "clip", _pairs(direction_agreement, "clip"), 2, "clip_direction"),
    Metric("clip_margin", "nearer to the target's caption than to the source's", "each", "clip", _clip_margin, 1, captions=True),
    Metric("sifid", "style of single references in A", "sets", "map", _sifid("map", "stem", "SIFID (judge)"), 1, references=True),
    Metric("sifid64", "style of single references, SinGAN's code", "sets", "map64", _sifid("map64", "map64", "sifid64"), 1, references=True),
    Metric("sifid192", "style of single references, SinGAN's paper", "sets", "map192", _sifid("map192", "map192", "sifid192"), 1, references=True),
)  # fmt: skip
METRICS = {metric.name: metric for metric in TABLE}
