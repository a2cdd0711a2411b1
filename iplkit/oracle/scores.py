"""The oracle's scores of an adapted generator: what it reached, what it kept, and how much variety is left.

No paper can print these: they need the truth about a person in the target domain. Here the person of a source sample
is read from its picture (`iplkit.oracle.reader`) and rendered in the target domain, and the adapted sample of the same
latent is held against this render. Each score names the error of the reading in its settings.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from iplkit.compare import NORMAL, Estimate, intervals
from iplkit.errors import UserError
from iplkit.features import judge_features
from iplkit.images import from_uint8, to_uint8
from iplkit.metrics.frechet import frechet_distance_of_samples
from iplkit.metrics.oracle import called, concordance, pair_distances, spread_ratio
from iplkit.metrics.score import Score
from iplkit.oracle.reader import Reader
from iplkit.oracle.truth import Counterparts, counterparts, known_only, mask_overlap
from iplkit.world.domains.catalog import check_domain
from iplkit.world.factors import CIRCUMSTANCE, IDENTITY, indices
from iplkit.world.fit import FitSettings, Head
from iplkit.world.render import DOMAINS

LEAST_PAIRS = 8
SCORES = (
    "domain reached", "target FID", "pixel distance", "feature distance",
    "identity kept", "circumstance kept", "structure kept", "factor error", "diversity",
)  # fmt: skip


@dataclass(frozen=True)
class OracleSettings:
    """How the oracle looks."""

    source: str = "photo"  # domain of the source samples
    fit: FitSettings = FitSettings()  # of the gradient fit; its size also serves the head-only route
    renders: int = 64  # portraits a domain on which the reading's error is measured
    rounds: int = 40  # bootstrap resamples of the people
    seed: int = 0  # of textures, renders and resamples


class Oracle:
    """Scores any number of adapted sets against one source set; the source is read once.

    Args:
        source_images: samples of the source generator, ``[N, 3, S, S]`` in [-1, 1] or uint8, N of at least 8.
        head: pictures -> factors, for example ``lambda x: judge(x).factors``.
        judge: whose domain answer and features.
        head_only: read factors by the head alone; a thousand times faster, and less sure.
        settings: see `OracleSettings`.
        reader: a reader to share with other oracles, with its measured errors; then head and head_only say nothing.

    Raises:
        UserError: for fewer pictures, or pictures of another shape.
    """

    def __init__(
        self, source_images: Tensor, head: Head, judge: nn.Module, *, head_only: bool = False,
        settings: OracleSettings = OracleSettings(), reader: Reader | None = None,
    ):  # fmt: skip
        source_images = _pictures(source_images)
        size = source_images.shape[-1]
        self.settings, self.judge, self.size, self.n = settings, judge, size, len(source_images)
        fresh = reader is None
        self.reader = Reader(head, head_only=head_only, fit=settings.fit, renders=settings.renders, seed=settings.seed, size=size) if fresh else reader
        self.people = self.reader(source_images, settings.source)
        self.source_seen = judge_features(judge, source_images)
        self._truth: dict[str, Counterparts] = {}
        self._best: dict[str, Tensor] = {}

    def truth(self, domain: str) -> Counterparts:
        """The source's people in a domain; rendered once."""
        if domain not in self._truth:
            self._truth[domain] = counterparts(self.people.factors, domain, self.judge, self.reader, self.size, self.settings.seed)
        return self._truth[domain]

    def scores(self, adapted_images: Tensor, domain: str) -> dict[str, Score]:
        """All scores of one adapted set; see `oracle_scores`."""
        check_domain(domain)
        adapted_images = _pictures(adapted_images)
        if adapted_images.shape != (self.n, 3, self.size, self.size):
            raise UserError(f"the oracle needs one adapted picture for each of {self.n} source pictures of {self.size} px; got {tuple(adapted_images.shape)}")
        seen = judge_features(self.judge, adapted_images)
        read = self.reader(adapted_images, domain)
        about = self.reader.about(self.settings.source, domain)
        about["residual"] = {"adapted": read.residual, "renders": self.reader.residual_on_renders(domain)}
        share = called(seen["domain_probs"], DOMAINS.index(domain))
        reached = replace(share, name="domain reached", settings=share.settings | {"domain": domain})
        found = {"domain reached": reached, "target FID": self._fid(seen, domain, about)}
        found |= self._distances(adapted_images, seen, domain, about)
        return found | self._people(read.factors, domain, about)

    def _fid(self, seen: dict[str, Tensor], domain: str, about: dict) -> Score:
        """FID of the adapted set to the true pictures of the same people; paired rows are resampled together."""
        truth = self.truth(domain)
        sets = {"adapted": seen["pool"], "source": self.source_seen["pool"], "true": truth.again["pool"]}

        def numbers(rows: Tensor) -> dict[str, float]:
            return {"FID": frechet_distance_of_samples(truth.seen["pool"][rows], sets["adapted"][rows])}

        anchors = {name: frechet_distance_of_samples(truth.seen["pool"], sets[name]) for name in ("source", "true")}
        more = {"dims": seen["pool"].shape[1], "source": anchors["source"], "true renders": anchors["true"], "domain": domain}
        return self._score("target FID", intervals(numbers, [self.n], self.settings.rounds, self.settings.seed)["FID"], about, more)

    def _distances(self, images: Tensor, seen: dict[str, Tensor], domain: str, about: dict) -> dict[str, Score]:
        """Distance to the true counterpart, and to somebody else's."""
        truth, found = self.truth(domain), {}
        sides = {"pixel distance": (images / 2, truth.images / 2, False), "feature distance": (seen["pool"], truth.seen["pool"], True)}
        for name, (ours, theirs, euclidean) in sides.items():
            pairs, others = pair_distances(ours, theirs, euclidean)
            estimate = intervals(lambda rows, p=pairs: {"mean": p[rows].mean().item()}, [self.n], self.settings.rounds, self.settings.seed)["mean"]
            unit = "Euclidean, judge's pool" if euclidean else "mean absolute, pixels in [0, 1]"
            random = others.mean().item()
            more = {"domain": domain, "unit": unit, "random pairs": random, "of random": estimate.value / max(random, 1e-12)}
            found[name] = self._score(name, estimate, about, more)
        return found

    def _people(self, factors: Tensor, domain: str, about: dict) -> dict[str, Score]:
        """What is said of the people themselves; only factors that are known in both domains count."""
        known = self.reader.known(self.settings.source, domain)
        people, truth = self.people.factors, self.truth(domain).reading.factors
        measures = {
            "identity kept": (concordance, [name for name in IDENTITY if name in known]),
            "circumstance kept": (concordance, [name for name in CIRCUMSTANCE if name in known]),
            "factor error": (_error, known),
            "diversity": (spread_ratio, known),
        }
        overlap, best = self._overlap(factors, known), self._best_overlap(domain, known)

        def by_factor(name: str, other: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
            measure, names = measures[name]
            if not names:
                return torch.tensor([float("nan")])
            return measure(people[rows][:, indices(names)], other[rows][:, indices(names)])

        def numbers(rows: Tensor) -> dict[str, float]:
            found = {name: by_factor(name, factors, rows).nanmean().item() for name in measures}
            return found | {"structure kept": overlap[rows].mean().item()}

        found = intervals(numbers, [self.n], self.settings.rounds, self.settings.seed)
        more = {"structure kept": {"true renders": best.mean().item(), "factors": known}}
        for name, (_, names) in measures.items():
            more[name] = {"true renders": by_factor(name, truth).nanmean().item(), "factors": names}
            more[name]["by factor"] = dict(zip(names, by_factor(name, factors).tolist()))
        return {name: self._score(name, found[name], about, {"domain": domain} | more[name]) for name in SCORES if name in found}

    def _overlap(self, factors: Tensor, known: list[str]) -> Tensor:
        """Structure that each person keeps, ``[N]``; nan if no factor is known."""
        people = self.people.factors
        return mask_overlap(people, known_only(factors, people, known)) if known else people[:, 0] * float("nan")

    def _best_overlap(self, domain: str, known: list[str]) -> Tensor:
        """The same of true renders, computed once a domain."""
        if domain not in self._best:
            self._best[domain] = self._overlap(self.truth(domain).reading.factors, known)
        return self._best[domain]

    def _score(self, name: str, estimate: Estimate, about: dict, more: dict) -> Score:
        """Spread is the bootstrap's standard error over people."""
        settings = more | {"rounds": self.settings.rounds, "seed": self.settings.seed, "reading": about}
        spread, interval = estimate.half / NORMAL, (estimate.low, estimate.high)
        return Score(name, estimate.value, spread, self.n, self.n, settings, interval=interval, protocol=about["protocol"])


def oracle_scores(
    source_images: Tensor, adapted_images: Tensor, domain: str, head: Head, judge: nn.Module, *,
    head_only: bool = False, settings: OracleSettings = OracleSettings(),
) -> dict[str, Score]:  # fmt: skip
    """Everything that the truth says of one adapted generator.

    ====================  =========================================================  ===========================
    score                 meaning                                                    unit; best
    ====================  =========================================================  ===========================
    domain reached        share that the judge calls `domain`                        [0, 1]; 1
    target FID            to true renders of the same people in the domain           features squared; "true renders"
    pixel distance        to the person's own true render                            [0, 1]; 0
    feature distance      the same in the judge's last layer                         features; 0
    identity kept         mean concordance of identity factors, source and adapted   [-1, 1]; "true renders"
    circumstance kept     the same of circumstance factors                           [-1, 1]; "true renders"
    structure kept        overlap of the true part masks of both people              [0, 1]; "true renders"
    factor error          mean absolute difference of the factors                    [0, 1]; "true renders"
    diversity             spread of the factors over that of the source, mean        from 0; 1
    ====================  =========================================================  ===========================

    "true renders" in a score's settings is the same number for true pictures of the same people: what a perfect
    method gets from this reader. Factors whose R2 on renders is below 0.5, in the source's domain or the target, are
    left out of the last five; the settings name them under "reading", with the error of all others.

    Args:
        source_images: samples of the source generator, ``[N, 3, S, S]`` in [-1, 1] or uint8, N of at least 8.
        adapted_images: samples of the adapted generator, same shape; row i has the same latent and the same noise.
        domain: target domain.
        head: pictures -> factors ``[N, F]``, for example ``lambda x: judge(x).factors``.
        judge: network with the readout of `iplkit.nets.judge.Judge`; no loss may have used it.
        head_only: read factors by the head alone, without the gradient fit; the protocol says so.
        settings: see `OracleSettings`.

    Returns:
        Name -> `Score`. The spread is a standard error over people; the interval is 95 %, Wilson's for "domain
        reached", from the bootstrap for all others. A score that has no known factor is nan.

    Raises:
        UserError: unknown domain, too few pictures, or sets of different shape.
    """
    return Oracle(source_images, head, judge, head_only=head_only, settings=settings).scores(adapted_images, domain)


def _pictures(images: Tensor) -> Tensor:
    """Through 8 bits, so that a stored picture and a fresh one get the same scores."""
    if images.ndim != 4 or images.shape[1] != 3 or len(images) < LEAST_PAIRS:
        raise UserError(f"the oracle needs at least {LEAST_PAIRS} pictures [N, 3, S, S]; got {tuple(images.shape)}")
    return from_uint8(images if images.dtype == torch.uint8 else to_uint8(images))


def _error(before: Tensor, after: Tensor) -> Tensor:
    return (before - after).abs().mean(0)
