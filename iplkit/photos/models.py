"""The networks that a photo goes through, together with what must never travel apart from them: framing, size, stored noise."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.invert.align import FFHQ, WORLD, Framing
from iplkit.invert.encoders import PublishedEncoder, load_encoder
from iplkit.invert.methods import DEFAULTS
from iplkit.invert.optimize import PAPER
from iplkit.invert.project import ProjectSettings
from iplkit.invert.published_nets import KINDS
from iplkit.invert.vgg import paper_perceptual

Likeness = Callable[[Tensor, Tensor], Tensor]  # two sets of portraits [N, 3, S, S] -> cosines [N]


@dataclass(frozen=True)
class PhotoModels:
    """What `iplkit.photos.invert` needs.

    Args:
        profile: "world" or "paper".
        generator: frozen; draws the latent.
        encoder: a published one; None is the world's, or none at all.
        framing: of the generator's portraits.
        noise_mode: "none" or "const", as the generator's pictures want it.
        settings: method -> settings of its optimisation.
        perceptual: makes the perceptual term of an optimisation, None for the world's; called only where there is one.
        likeness: cosine of two portraits' identities; None where its network is not there.
        about: what a record says.
    """

    profile: str
    generator: nn.Module
    encoder: PublishedEncoder | None
    framing: Framing
    noise_mode: str
    settings: dict
    perceptual: Callable[[], nn.Module | None]
    likeness: Likeness | None
    about: dict = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Side of a portrait, pixels."""
        return self.generator.config.size

    @property
    def batch(self) -> int:
        """Portraits at a time: 16 of 64 px, one of 1024 px need about as much memory."""
        return max(1, min(16, 1024 // self.size))

    @torch.no_grad()
    def draw(self, generator: nn.Module, ws: Tensor) -> Tensor:
        """What some generator, this one or an adapted one, draws of codes, ``[N, R, D]`` -> ``[N, 3, S, S]``."""
        return generator.synthesis(ws, noise_mode=self.noise_mode)


PAPER_SETTINGS = {
    "optimize": PAPER,
    "encode+refine": replace(PAPER, schedule=replace(PAPER.schedule, steps=100)),
    "project": ProjectSettings(),
}


def load_models(profile: str = "world", encoder: str | Path | None = None, kind: str | None = None, device: str = "cpu") -> PhotoModels:
    """Load what a profile has.

    Args:
        profile: "world" needs nothing. "paper" takes its generator from the reader's folder, or, where that has none, the one inside
            of the encoder's file; identity is measured if the folder has its network.
        encoder: a published checkpoint, or one of "psp", "e4e", "restyle-psp" and "restyle-e4e", which lie in the reader's folder under
            their published names; only for "paper".
        kind: of that checkpoint, see `iplkit.invert.encoders.load_encoder`.
        device: where to compute.

    Raises:
        UserError: unknown profile, an encoder for the world, or files that are missing or do not fit.
    """
    if device != "cpu" and not torch.cuda.is_available():
        raise UserError(f"device {device} needs a GPU that torch can use; there is none here")
    zoo.entries(profile)  # refuses an unknown profile
    if profile == "world":
        if encoder is not None:
            raise UserError("the world has an encoder of its own; a file of another one needs --profile paper")
        generator, identity = zoo.load("generator").to(device), zoo.load("identity").to(device)
        likeness = lambda a, b: F.cosine_similarity(identity(a.clamp(-1, 1)), identity(b.clamp(-1, 1))).cpu()  # noqa: E731
        about = {"generator": "world", "encoder": "world"}
        return PhotoModels("world", generator, None, WORLD, "none", DEFAULTS, lambda: None, torch.no_grad()(likeness), about)
    path = None if encoder is None else zoo.path_of(str(encoder), "paper") if str(encoder) in KINDS else Path(encoder)
    found = None if path is None else load_encoder(path, _generator_file(), kind)
    generator = zoo.load("generator", "paper") if found is None else found.generator
    about = {"generator": generator.config.asdict(), "encoder": found.about | {"file": path.name} if found else None}
    perceptual = lambda: paper_perceptual().to(device)  # noqa: E731
    return PhotoModels("paper", generator.to(device), found and found.to(device), FFHQ, "const", PAPER_SETTINGS, perceptual, _arcface(device), about)


def _generator_file() -> nn.Module | None:
    """The reader's own generator if there is one; adapted generators are differences from it."""
    try:
        path = zoo.path_of("generator", "paper")
    except UserError:
        return None
    return zoo.load("generator", "paper") if path.is_file() else None


def _arcface(device: str) -> Likeness | None:
    from iplkit.extractors.paper_nets import PaperIdentity

    try:
        path = zoo.path_of("identity", "paper")
    except UserError:
        return None
    if not path.is_file():
        return None
    arcface = PaperIdentity.of(path).to(device)
    return lambda a, b: F.cosine_similarity(arcface(a), arcface(b))
