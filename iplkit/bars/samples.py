"""M1 to M3: are the generator's samples portraits of the photo domain, all kinds of them, in the right mixture?"""

from collections.abc import Iterator
from functools import cached_property

from torch import Tensor, nn

from iplkit.bars.row import Row, rate_row, value_row
from iplkit.bars.sets import Scale, renders, samples
from iplkit.errors import UserError
from iplkit.faces import has_face
from iplkit.features import judge_features
from iplkit.images import from_uint8, resize
from iplkit.metrics.diversity import precision_recall
from iplkit.metrics.frechet import fid
from iplkit.metrics.ks import ks_noise, ks_statistic
from iplkit.metrics.oracle import called
from iplkit.world.factors import NAMES
from iplkit.world.render import DOMAINS

KS_BOUND = 0.15
UPSAMPLE = 4  # before dlib looks at a small picture
FIRST_LOOK = 5  # the nearest domain is looked for with a fifth of the pictures, then measured with all


class Judged:
    """The judge's features of each set, computed once and kept; images are not."""

    def __init__(self, scale: Scale, generator: nn.Module, judge: nn.Module):
        self.scale, self.generator, self.judge = scale, generator, judge

    @cached_property
    def samples(self) -> dict[str, Tensor]:
        """Of the generator's samples."""
        return judge_features(self.judge, samples(self.scale, self.generator))

    @cached_property
    def photos(self) -> dict[str, Tensor]:
        """Of photo renders."""
        return judge_features(self.judge, renders(self.scale, "photos"))

    def domain(self, domain: str, n: int | None = None) -> dict[str, Tensor]:
        """Of renders of a target domain; not kept."""
        return judge_features(self.judge, renders(self.scale, f"renders {domain}", domain, n))


def m1(judged: Judged) -> list[Row]:
    """Share of samples that the judge calls photo; "none of them" is a failure."""
    rows = []
    for name, found, asked in (("samples", judged.samples, ">= 0.98"), ("photo renders", judged.photos, "")):
        share = called(found["domain_probs"], DOMAINS.index("photo"))
        rows.append(rate_row("M1", f"{name} that the judge calls photo", round(share.value * share.num_fake), share.num_fake, asked))
    none = called(judged.samples["domain_probs"], len(DOMAINS))
    return rows + [rate_row("M1", "samples that the judge calls none", round(none.value * none.num_fake), none.num_fake)]


def upsampled(batches: Iterator[Tensor], size: int) -> Iterator[Tensor]:
    """Small pictures enlarged for a detector made for large ones, one ``[3, H, W]`` at a time."""
    for batch in batches:
        yield from resize(from_uint8(batch), size * UPSAMPLE).clamp(-1, 1)


def face_rows(scale: Scale, generator: nn.Module) -> list[Row]:
    """dlib's rate on enlarged samples, against its rate on 64 px renders treated alike."""
    sets = {"samples": samples(scale, generator, "faces", scale.faces), "photo renders": renders(scale, "faces", n=scale.faces)}
    hits = {name: sum(has_face(image) for image in upsampled(images, scale.size)) for name, images in sets.items()}
    rows = [rate_row("M2", f"faces that dlib finds in {name} enlarged {UPSAMPLE}x", h, scale.faces) for name, h in hits.items()]
    ratio = hits["samples"] / hits["photo renders"] if hits["photo renders"] else float("nan")
    relative = sum((1 - r.value) / max(r.value * r.n, 1) for r in rows) ** 0.5  # delta method, two rates
    return rows + [value_row("M2", "face rate, samples over renders", ratio, scale.faces, ">= 0.8", spread=ratio * relative)]


def m2(judged: Judged) -> list[Row]:
    """Distance of samples from photo renders, small against the distance of the nearest other domain."""
    n, real, fake = judged.scale.n, judged.photos["pool"], judged.samples["pool"]
    few = min(len(real), len(fake)) // 2 <= real.shape[1]
    near = fid(real, fake, low_rank=few, bootstrap=10)
    half = fid(real[::2], real[1::2], low_rank=few)
    first = max(2, n // FIRST_LOOK)  # fewer pictures are enough to see which domain is nearest
    others = {d: fid(real[:first], judged.domain(d, first)["pool"], low_rank=few).value for d in DOMAINS if d != "photo"}
    closest = min(others, key=others.get)
    smallest = fid(real, judged.domain(closest)["pool"], low_rank=few).value
    ratio, spread = near.value / smallest, near.spread / smallest
    precision, recall = precision_recall(real, fake, k=5)
    rows = [
        value_row("M2", "FID of samples over smallest FID of a domain", ratio, n, "<= 0.05", spread, f"nearest domain: {closest}"),
        value_row("M2", "FID, samples and photo renders", near.value, n, spread=near.spread, note="judge's pool features"),
        value_row("M2", "FID, two halves of the photo renders", half.value, n // 2, note="what chance alone gives at half the size"),
        value_row("M2", "precision, k = 5", precision.value, n, ">= 0.7", precision.spread),
        value_row("M2", "recall, k = 5", recall.value, n, ">= 0.5", recall.spread),
    ]
    rows.append(value_row("M2", f"FID, photo renders and {closest}", smallest, n, note="the nearest domain"))
    rows += [value_row("M2", f"FID, photo renders and {domain}, first look", value, first) for domain, value in others.items()]
    return rows + face_rows(judged.scale, judged.generator)


def m3(judged: Judged) -> list[Row]:
    """For each factor, is the judge's estimate spread on samples as on renders?"""
    fake, real = judged.samples["factors"], judged.photos["factors"]
    if fake.shape[1] != len(NAMES):
        raise UserError(f"the judge must estimate the world's {len(NAMES)} factors; this one estimates {fake.shape[1]}")
    gaps = {name: ks_statistic(fake[:, i], real[:, i]) for i, name in enumerate(NAMES)}
    within = sum(gap <= KS_BOUND for gap in gaps.values())
    noise = f"one law stays below {ks_noise(len(fake), len(real)):.3f}"
    rows = [value_row("M3", f"factors within KS {KS_BOUND}", within, len(NAMES), ">= 18", note=noise)]
    return rows + [value_row("M3", f"KS, {name}", gap, len(fake)) for name, gap in gaps.items()]


