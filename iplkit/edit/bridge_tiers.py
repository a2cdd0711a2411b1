"""Which bridge finds its way back? Fresh pairs, every tier, and judges that took no part in any training.

The code is known, so what it draws is known, and so is the face that should come out. Axis letters: N pairs, C draws of one
feature, G pictures among which a face is looked up, D width of w, F factors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.edit.bridge import Bridge
from iplkit.edit.bridge_pairs import Pairs, codes, features, make_pairs, pictures
from iplkit.edit.bridge_refine import RefineSettings, refine
from iplkit.edit.bridge_simple import nearest
from iplkit.findings import Finding
from iplkit.invert.methods import fast_copy
from iplkit.invert.studies.lab import Lab, measured
from iplkit.oracle.reader import Reader
from iplkit.world.factors import indices

CHOICE = 16  # draws of which CLIP keeps the best
BLURS = {"no blur": 0.0, "half blur": 0.5, "full blur": 1.0}  # noise on the feature; see `iplkit.edit.bridge_prior`


@dataclass
class Bench:
    """Models, fresh pairs and instruments.

    Args:
        lab: number of pairs, seed, models.
        gallery: samples for retrieval.
        crowd: features of others, among which a picture is looked up, ``[G, E]``.
        refining: of the last tier.
        fitted: of the pairs, whose factors are also fitted through the renderer; 0 leaves that out.
    """

    lab: Lab
    gallery: Pairs
    crowd: Tensor
    refining: RefineSettings = RefineSettings()
    fitted: int = 0
    tiers: dict[str, Callable[[Tensor], Tensor]] = field(init=False)
    said: dict[tuple[int, int], Tensor] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self):
        net, n = self.bridge, self.lab.n
        mean, other = self.lab.generator.mapping.w_avg, codes(self.lab.generator.mapping, n, self.lab.seed, "bridge strangers")
        self.tiers = {
            "middle of W": lambda e: mean.expand(len(e), -1),
            "somebody": lambda e: other[: len(e)],
            "retrieval": lambda e: nearest(self.gallery, e),
            "ridge": lambda e: net.w(e, "ridge"),
            "network": lambda e: net.w(e, "network"),
            "prior, one draw": lambda e: net.draw(e, 1, self.rng)[:, 0],
            "prior, best of 16": lambda e: self.best_draw(e, CHOICE),
            "descent from the middle": lambda e: self.refined(mean.expand(len(e), -1), e),
            "descent from retrieval": lambda e: self.refined(nearest(self.gallery, e), e),
            "descent from the network": lambda e: self.refined(net.w(e, "network"), e),
        }

    @property
    def bridge(self) -> Bridge:
        """The shipped one, unless the lab was given another."""
        return self.lab.model("bridge")

    @cached_property
    def clip(self):
        """In the fast layout."""
        return fast_copy(self.lab.model("clip"))

    @property
    def rng(self) -> torch.Generator:
        """Of all draws; always from its start."""
        return draw(self.lab.seed, "bridge draws")

    @cached_property
    def pairs(self) -> Pairs:
        """Fresh ones, never trained on and not in the gallery."""
        return make_pairs(self.lab.generator, self.clip, self.lab.n, self.lab.seed, "bridge judged")

    @cached_property
    def truth(self) -> Tensor:
        """What their codes draw."""
        return pictures(self.lab.generator, self.pairs.w)

    def seen(self, images: Tensor) -> Tensor:
        """CLIP's unit features of pictures."""
        return features(self.clip, images)

    def draw(self, w: Tensor) -> Tensor:
        """Pictures of codes, ``[N, D]``."""
        return pictures(self.lab.generator, w)

    def best_draw(self, e: Tensor, count: int, **how) -> Tensor:
        """Of several codes a feature, the one whose picture CLIP finds most alike, ``[N, E]`` -> ``[N, D]``."""
        drawn = self.bridge.draw(e, count, self.rng, **how)
        alike = (self.seen(self.draw(drawn.flatten(0, 1))).view(len(e), count, -1) * e[:, None]).sum(-1)
        return drawn[torch.arange(len(e)), alike.argmax(1)]

    def refined(self, w: Tensor, e: Tensor) -> Tensor:
        """The last tier from any start."""
        return refine(w, e, self.lab.generator, self.clip, self.bridge.white, self.refining)

    # Judges

    @cached_property
    def head(self) -> Reader:
        """Factors by the judge's head."""
        return Reader(lambda x: self.lab.model("judge")(x).factors, head_only=True, renders=256)

    @cached_property
    def fit(self) -> Reader:
        """Factors by a fit through the renderer: slow, and without any network's opinion at its end."""
        return Reader(lambda x: self.lab.model("judge")(x).factors, renders=32)

    def factor_error(self, images: Tensor, reader: Reader) -> Tensor:
        """Mean absolute difference to the truth, of the factors that the reader knows, ``[n]``; each factor runs from 0 to 1.

        Args:
            images: drawn for the first n pairs.
            reader: see `head` and `fit`; what it says of the truth is kept.
        """
        columns, key = indices(reader.known("photo")), (id(reader), len(images))
        if key not in self.said:
            self.said[key] = reader(self.truth[: len(images)], "photo").factors
        return (reader(images, "photo").factors - self.said[key])[:, columns].abs().mean(1)

    def place(self, seen: Tensor) -> Tensor:
        """At which place the right feature comes among the crowd, seen from what was drawn, ``[N]``; 1 is first."""
        right = (seen * self.pairs.e).sum(1, keepdim=True)
        return 1 + (seen @ self.crowd.T > right).sum(1)

    def judge(self, w: Tensor) -> dict[str, Tensor]:
        """Every measure of one tier's codes, ``[N]`` each (fitted: the first pairs)."""
        images = self.draw(w)
        seen = self.seen(images)
        found = {"similarity": (seen * self.pairs.e).sum(1), "found first": (self.place(seen) == 1).float()}
        found |= {"likeness": self.lab.likeness(images, self.truth), "factor error": self.factor_error(images, self.head)}
        if self.fitted:
            found["fitted factor error"] = self.factor_error(images[: self.fitted], self.fit)
        return found | {"LPIPS": self.lab.lpips(images, self.truth), "length": self.bridge.unusual(w)}

    def results(self) -> Iterator[tuple[str, Tensor, dict[str, Tensor]]]:
        """Each tier with its codes and measures."""
        for name, tier in self.tiers.items():
            w = tier(self.pairs.e)
            yield name, w, self.judge(w)

    @property
    def about(self) -> dict:
        """What decides the numbers."""
        known = {"head": len(self.head.known("photo"))} | ({"fit": len(self.fit.known("photo"))} if self.fitted else {})
        return {"n": self.lab.n, "seed": self.lab.seed, "gallery": len(self.gallery), "crowd": len(self.crowd), "fitted": self.fitted,
                "steps": self.refining.steps, "pull": self.refining.pull, "rate": self.refining.rate, "known factors": known}  # fmt: skip


def bridge_tiers(bench: Bench, shown: int = 8) -> Finding:
    """All tiers, and what the best ones are better by, pair by pair."""
    rows, seen, kept = [], {"asked for": bench.truth[:shown]}, {}
    for name, w, found in bench.results():
        rows.append({"tier": name, "against": ""} | measured(**found))
        seen[name], kept[name] = bench.draw(w[:shown]), found
    for name in ("network", "prior, best of 16", "descent from the network"):
        for base in ("retrieval", "ridge"):
            gains = {measure: kept[name][measure] - kept[base][measure] for measure in kept[name]}
            rows.append({"tier": name, "against": base} | measured(**gains))
    return Finding("tiers", rows, bench.about, seen)


def bridge_draws(bench: Bench, count: int = 8, people: int = 24) -> Finding:
    """How different the prior's draws of one feature are, and how true each is; with guidance, and with blur."""
    people = min(people, bench.lab.n)
    e, known = bench.pairs.e[:people], indices(bench.head.known("photo"))
    strangers = codes(bench.lab.generator.mapping, people * count, bench.lab.seed, "bridge any").view(people, count, -1)
    ways = {"any samples": strangers} | {
        f"guidance {guidance:g}, {name}": bench.bridge.draw(e, count, bench.rng, BLURS[name], guidance)
        for guidance, name in ((1.0, "no blur"), (2.0, "no blur"), (1.0, "half blur"), (1.0, "full blur"))
    }
    rows = []
    for name, w in ways.items():
        images = bench.draw(w.flatten(0, 1))
        alike = (bench.seen(images).view(people, count, -1) * e[:, None]).sum(-1).mean(1)
        spread = bench.lab.read(images)[:, known].view(people, count, -1).std(1).mean(-1)
        pair = images.view(people, count, *images.shape[1:])
        columns = measured(similarity=alike, factor_spread=spread, likeness_of_two_draws=bench.lab.likeness(pair[:, 0], pair[:, 1]))
        rows.append({"draws": name} | columns | measured(LPIPS_of_two_draws=bench.lab.lpips(pair[:, 0], pair[:, 1])))
    return Finding("draws", rows, bench.about | {"n": people, "count": count})
