"""Back from a feature: which layers of a classifier still hold the picture, and what is a style loss?

A picture is searched for, pixel by pixel and in W, whose feature is the given one. Mahendran and Vedaldi 2015, "Understanding Deep
Image Representations by Inverting Them", found early layers to hold nearly everything and late ones little of where and how. A
classifier is taught to forget what does not decide its answer, so many pictures share one late feature, and nothing says which of
them is meant. A code of a generator is the opposite: it was taught to be drawn.

Style loss (Gatys et al. 2016): only which channels are active together is compared, so that places do not count.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.findings import Finding
from iplkit.invert.descent import descend
from iplkit.invert.plus import gram
from iplkit.invert.result import decibels
from iplkit.invert.spaces import begin, styles_of
from iplkit.invert.studies.lab import BATCH, Lab, measured
from iplkit.nets.critic import LAYERS

RATE = 0.05  # Adam's, of pixels in [-1, 1]
Look = Callable[[Tensor], list[Tensor]]


def looks_of(lab: Lab) -> dict[str, Look]:
    """Name -> what is compared: each layer of the critic, its mean, its answers, and the style of all layers."""
    critic = lab.model("critic")

    def layer(name: str) -> Look:
        return lambda x: [critic.features(x)[name]]

    looks = {name: layer(name) for name in LAYERS}
    looks["mean of the last layer"] = lambda x: [critic.features(x)[LAYERS[-1]].mean((2, 3))]
    looks["answers"] = lambda x: [critic(x).domain_logits, critic(x).kinds_logits]
    looks["style of all layers"] = lambda x: [gram(f) for f in list(critic.features(x).values())[:4]]
    return looks


def relative(now: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Squared difference in units of what is wanted, summed over the parts, ``[N]``."""
    pairs = zip((a.flatten(1) for a in now), (b.flatten(1) for b in wanted), strict=True)
    return sum((a - b).square().sum(1) / b.square().sum(1).clamp_min(1e-8) for a, b in pairs)


def from_pixels(lab: Lab, images: Tensor, look: Look, first: int) -> tuple[Tensor, Tensor]:
    """A picture with the same feature, each pixel free, from grain around grey; and the share of the feature that is missing."""
    grain = [0.1 * torch.randn(images.shape[1:], generator=draw(lab.seed, "grey grain", first + i)) for i in range(len(images))]
    with torch.no_grad():
        wanted = look(images)
    schedule = replace(lab.settings().schedule, lr=RATE)
    found, losses, _ = descend({"pixels": torch.stack(grain)}, lambda now, step: relative(look(now["pixels"].tanh()), wanted), schedule)
    return found["pixels"].tanh(), losses[-1]


def from_w(lab: Lab, images: Tensor, look: Look) -> tuple[Tensor, Tensor]:
    """A portrait with the same feature, in W."""
    with torch.no_grad():
        wanted = look(images)

    def made(now: dict[str, Tensor]) -> Tensor:
        return lab.generator.synthesis.from_styles(styles_of(now, lab.generator), "none")

    free = begin("w", "mean", lab.generator, len(images))
    found, losses, _ = descend(free, lambda now, step: relative(look(made(now)), wanted), lab.settings().schedule)
    with torch.no_grad():
        return made(found), losses[-1]


def features_back(lab: Lab) -> Finding:
    """Each layer from free pixels and from W."""
    images = lab.portraits("features back")
    rows, shown = [], {"picture": images[:6]}
    for name, look in looks_of(lab).items():
        for way in ("pixels", "W"):
            parts = []
            for at in range(0, len(images), BATCH):
                batch = images[at : at + BATCH]
                parts.append(from_pixels(lab, batch, look, at) if way == "pixels" else from_w(lab, batch, look))
            found, missing = (torch.cat(values) for values in zip(*parts))
            columns = measured(missing=missing, dB=decibels(found, images), LPIPS=lab.lpips(found, images), called_photo=lab.domain_share(found))
            rows.append({"feature": name, "from": way} | columns | measured(likeness=lab.likeness(found, images)))
            shown[f"{name}, {way}"] = found[:6]
    return Finding("features_back", rows, lab.about, shown)


def same_style(lab: Lab, images: Tensor) -> Tensor:
    """Correlation of the Gram matrices of each picture and of its mirror image turned upside down, ``[N]``: a style loss sees little."""
    critic = lab.model("critic")
    with torch.no_grad():
        a, b = (list(critic.features(x).values())[0] for x in (images, images.flip(2, 3)))
        return F.cosine_similarity(gram(a).flatten(1), gram(b).flatten(1))
