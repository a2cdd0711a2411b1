"""What every study of inversion uses: the models, fresh pictures, a search, and instruments that served no loss.

The critic's layers are in the loss, so they judge nothing here. Fidelity is PSNR and the judge's LPIPS; persons are told
by the identity network, factors by the judge; neither took part in a search or in the encoder's training.

Axis letters: N images, R rows of W+ (num_ws), D width of w, F factors.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.adapt.draws import draw, draw_seed
from iplkit.extractors.lpips import unit_layers
from iplkit.features import device_of, identity_features, judge_features
from iplkit.images import from_uint8, to_uint8
from iplkit.invert.encode import PASSES, encode
from iplkit.invert.methods import fast_copy
from iplkit.invert.optimize import OptimizeSettings, optimize
from iplkit.invert.perceptual import Perceptual, critic_perceptual
from iplkit.invert.result import Inversion, decibels, join
from iplkit.metrics.lpips import lpips_distance
from iplkit.nets.judge import LAYERS
from iplkit.sweep.summary import Interval, mean_interval
from iplkit.world.factors import sample_factors
from iplkit.world.render import render

BATCH = 16


@dataclass
class Lab:
    """Models and scale of some studies.

    Args:
        n: pictures a condition; 20 and more for numbers to print.
        steps: of each search.
        seed: of all pictures.
        given: models in place of the shipped ones, by name.
    """

    n: int = 24
    steps: int = 200
    seed: int = 2024
    given: dict[str, nn.Module] = field(default_factory=dict)

    def model(self, name: str) -> nn.Module:
        """A frozen model."""
        if name not in self.given:
            self.given[name] = zoo.load(name)
        return self.given[name]

    @cached_property
    def generator(self) -> nn.Module:
        """In the fast layout."""
        return fast_copy(self.model("generator"))

    @cached_property
    def perceptual(self) -> Perceptual:
        """The critic's layers."""
        return critic_perceptual(fast_copy(self.model("critic")))

    @property
    def about(self) -> dict:
        """What decides the numbers of every study."""
        return {"n": self.n, "steps": self.steps, "seed": self.seed}

    @property
    def size(self) -> int:
        """Side of a picture."""
        return self.generator.config.size

    # Pictures

    def people(self, purpose: str) -> Tensor:
        """Factors of n fresh people, ``[n, F]``."""
        return sample_factors(self.n, draw(self.seed, purpose))

    @torch.no_grad()
    def shots(self, factors: Tensor, domain: str = "photo", purpose: str = "texture") -> Tensor:
        """Renders of some people at 8 bits, ``[n, 3, S, S]`` in [-1, 1]."""
        first = draw_seed(self.seed, purpose) % 2**30
        return from_uint8(to_uint8(render(factors, domain, self.size, seed=first)))

    def portraits(self, purpose: str, domain: str = "photo") -> Tensor:
        """Renders of n fresh people."""
        return self.shots(self.people(purpose), domain, purpose)

    @torch.no_grad()
    def samples(self, purpose: str) -> tuple[Tensor, Tensor]:
        """Codes of n samples ``[n, R, D]`` and their pictures without noise, at 8 bits."""
        z = torch.randn(self.n, self.generator.config.z_dim, generator=draw(self.seed, purpose))
        ws = self.generator.mapping(z)
        return ws, from_uint8(to_uint8(self.draw(ws)))

    @torch.no_grad()
    def draw(self, ws: Tensor, generator: nn.Module | None = None) -> Tensor:
        """Pictures of codes, without noise."""
        generator = generator or self.generator
        return torch.cat([generator.synthesis(part, noise_mode="none") for part in ws.split(BATCH)])

    # Searches

    def settings(self, **changes) -> OptimizeSettings:
        """The usual search with this lab's number of steps."""
        settings = OptimizeSettings(**changes)
        return replace(settings, schedule=replace(settings.schedule, steps=self.steps))

    def find(self, images: Tensor, space: str = "w+", start: str | Tensor = "mean", generator: nn.Module | None = None, **changes) -> Inversion:
        """Search for codes of some pictures, batch by batch."""
        settings, parts = self.settings(**changes), []
        for rows in torch.arange(len(images)).split(BATCH):
            begin = start[rows] if isinstance(start, Tensor) else start
            what = dict(settings=settings, seed=self.seed, first=int(rows[0]))
            parts.append(optimize(images[rows], generator or self.generator, self.perceptual, space, begin, **what))
        return join(parts)

    def encode(self, images: Tensor, passes: int = PASSES, reach: float = 1.0) -> Tensor:
        """The encoder's code after its last pass, ``[N, R, D]``."""
        return encode(images, self.model("encoder"), self.generator, passes, reach)[-1]

    @torch.no_grad()
    def drawn(self, ws: Tensor, images: Tensor) -> Inversion:
        """Codes that no search found, as if one had."""
        made, styles = self.draw(ws), self.generator.synthesis.styles(ws)
        return Inversion(ws, styles, None, made, torch.zeros(0, len(ws)), decibels(made, images))

    # Instruments

    @torch.no_grad()
    def lpips(self, images: Tensor, other: Tensor) -> Tensor:
        """The judge's LPIPS of each pair, ``[N]``."""
        judge = self.model("judge")

        def vectors(x: Tensor) -> Tensor:
            features = judge(from_uint8(to_uint8(x)).to(device_of(judge))).features
            return unit_layers([features[name].float() for name in LAYERS])

        pairs = zip(images.split(BATCH), other.split(BATCH), strict=True)
        return torch.cat([lpips_distance(vectors(a), vectors(b)) for a, b in pairs])

    def likeness(self, images: Tensor, other: Tensor) -> Tensor:
        """Cosine of the identity network's embeddings of each pair, ``[N]``."""
        a, b = (identity_features(self.model("identity"), to_uint8(x)) for x in (images, other))
        return (a * b).sum(1)

    def read(self, images: Tensor) -> Tensor:
        """Factors by the judge's head, ``[N, F]``: quick, and blind to small parts."""
        return judge_features(self.model("judge"), to_uint8(images))["factors"]

    def domain_share(self, images: Tensor, domain: int = 0) -> Tensor:
        """The judge's probability of a domain, ``[N]``; 0 is photo."""
        return judge_features(self.model("judge"), to_uint8(images))["domain_probs"][:, domain]


def interval(values: Tensor) -> Interval:
    """Mean of one number a picture with Student's 95 % interval."""
    return mean_interval(values.double().tolist())


def measured(**columns: Tensor) -> dict[str, Interval]:
    """Several columns of a table's line at once; underscores in names become spaces."""
    return {name.replace("_", " "): interval(values) for name, values in columns.items()}
