"""One ruler for every cell: the same latents, the same noise, the same true renders, the same scores.

The source's pictures and the truth of each domain are computed once. What a cell adds is its own pictures.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.bars.sets import Scale, renders, samples
from iplkit.compare import set_numbers
from iplkit.evaluate_table import moments_of_maps
from iplkit.extractors.base import Extractor
from iplkit.extractors.lpips import lpips_matrix
from iplkit.extractors.world import world_extractor
from iplkit.features import extract_many, judge_features
from iplkit.metrics.diversity import prdc
from iplkit.metrics.identity import identity
from iplkit.metrics.intra_lpips import intra_lpips_medoids
from iplkit.metrics.scs import scs
from iplkit.metrics.sifid import sifid_pairs
from iplkit.oracle.reader import Reader
from iplkit.oracle.scores import Oracle, OracleSettings
from iplkit.world.domains.catalog import DOMAINS

ORACLE = ("target FID", "pixel distance", "feature distance", "identity kept", "circumstance kept", "structure kept", "factor error", "diversity")
LAYERS = ("pool", "domain_probs", "kinds_probs")


@dataclass(frozen=True)
class Reach:
    """How much of a cell is looked at.

    Args:
        pictures: samples of the generator, and true renders of a domain.
        people: of these, how many the oracle reads.
        textures: of these, how many SIFID and LPIPS compare.
        references: single true pictures that SIFID compares with, as the papers do.
        clusters: of intra-LPIPS.
        seed: of latents, noise and renders; never the adaptation's own.
    """

    pictures: int = 1000
    people: int = 200
    textures: int = 100
    references: int = 3
    clusters: int = 10
    seed: int = 2025

    @classmethod
    def of(cls, tier: str) -> "Reach":
        """The printed reach, or a small one that only proves that it runs."""
        return cls(pictures=64, people=16, textures=24, clusters=4) if tier == "smoke" else cls()


class Ruler:
    """Measures adapted generators of one source generator.

    Args:
        generator: the source.
        reach: how much is looked at.
        judge, identity: networks in place of the shipped ones.
    """

    def __init__(self, generator: nn.Module, reach: Reach = Reach(), judge: nn.Module | None = None, identity: nn.Module | None = None):
        self.generator, self.reach = generator, reach
        self.scale = Scale(n=reach.pictures, size=generator.config.size, seed=reach.seed)
        self.judge: Extractor = world_extractor("judge", judge)
        self.identity: Extractor = world_extractor("identity", identity)
        self.edges: Extractor = world_extractor("edges")
        self.truths: dict[str, dict] = {}

    def pictures(self, generator: nn.Module) -> Tensor:
        """Samples of a generator, uint8 ``[N, 3, S, S]``; a latent has the same noise in every generator."""
        return torch.cat(list(samples(self.scale, generator)))

    def see(self, images: Tensor) -> dict[str, Tensor]:
        """Every feature that a score needs, of one set."""
        wanted = ((self.judge, LAYERS), (self.identity, ("embedding",)), (self.edges, ("edges",)))
        judged, who, lines = extract_many(wanted, images)
        few = images[: self.reach.textures]
        seen = {name: judged[name] for name in LAYERS} | {"who": who["embedding"], "edges": lines["edges"]}
        return seen | {"textures": moments_of_maps(self.judge, few, "stem"), "variety": self._variety(few)}

    def _variety(self, images: Tensor) -> float:
        return intra_lpips_medoids(lpips_matrix(self.judge, images), self.reach.clusters).value

    @cached_property
    def source_images(self) -> Tensor:
        """The source's samples."""
        return self.pictures(self.generator)

    @cached_property
    def source(self) -> dict:
        """What is seen in them."""
        return self.see(self.source_images)

    @cached_property
    def oracle(self) -> Oracle:
        """Reads people by the judge's head; its errors are measured once a domain."""
        net, settings = self.judge.net, OracleSettings(rounds=2)
        reader = Reader(lambda x: net(x).factors, head_only=True, size=self.scale.size)
        return Oracle(self.source_images[: self.reach.people], reader.head, net, settings=settings, reader=reader)

    def truth(self, domain: str) -> dict:
        """True renders of a domain, people drawn fresh, and single references among them."""
        if domain not in self.truths:
            true = torch.cat(list(renders(self.scale, f"truth {domain}", domain)))
            references = moments_of_maps(self.judge, true[: self.reach.references], "stem")
            self.truths[domain] = {"seen": judge_features(self.judge.net, true), "references": references}
        return self.truths[domain]

    def scores(self, generator: nn.Module, domain: str) -> dict[str, float]:
        """All scores of one adapted generator.

        Returns:
            "FID", "IS", "called", "none", "SIFID", "SCS", "ID", "precision", "recall", "density", "coverage",
            "LPIPS ratio" (intra-LPIPS over the source's), and the oracle's under "oracle ...".
        """
        images = self.source_images if generator is self.generator else self.pictures(generator)
        seen = self.source if generator is self.generator else self.see(images)
        found = self._of_set(seen, domain)
        found |= {"SCS": scs(self.source["edges"], seen["edges"]).value, "ID": identity(self.source["who"], seen["who"]).value}
        told = self.oracle.scores(images[: self.reach.people], domain)
        return found | {f"oracle {name}": told[name].value for name in ORACLE}

    def true_scores(self, domain: str) -> dict[str, float]:
        """The same scores of fresh true renders, where they have a meaning: what a perfect method gets."""
        again = self.see(torch.cat(list(renders(self.scale, f"truth again {domain}", domain))))
        found = self._of_set(again, domain)
        told = self.oracle.scores(self.source_images[: self.reach.people], domain)
        best = {name: told[name].settings.get("true renders") for name in ORACLE}
        return found | {f"oracle {name}": value for name, value in best.items() if value is not None}

    def _of_set(self, seen: dict, domain: str) -> dict[str, float]:
        truth = self.truth(domain)
        found = set_numbers(truth["seen"], seen, DOMAINS.index(domain))
        found["SIFID"] = float(sifid_pairs(truth["references"], seen["textures"]).mean())
        found |= {name: score.value for name, score in prdc(truth["seen"]["pool"], seen["pool"]).items()}
        return found | {"LPIPS ratio": seen["variety"] / self.source["variety"]}


def shipped_ruler(tier: str) -> Ruler:
    """The ruler of the shipped models."""
    return Ruler(zoo.load("generator").eval(), Reach.of(tier))
