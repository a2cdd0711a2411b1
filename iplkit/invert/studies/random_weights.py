"""Random weights: does a generator that has learned nothing draw any picture too?

Abdal et al. 2019, Sec. 4.1, Fig. 5. It can be read in two ways, and both are done. *Before*: the search runs on a generator of
random weights. *After*: the code is found on the trained generator and drawn by a random one.
"""

import torch

from iplkit.findings import Finding
from iplkit.invert.methods import fast_copy
from iplkit.invert.result import decibels
from iplkit.invert.studies.lab import Lab, interval, measured
from iplkit.stylegan2.generator import Generator

TRIALS = (
    ("trained", "w+", "mean"), ("trained", "w+", "uniform"), ("trained", "w", "mean"),
    ("random before", "w+", "mean"), ("random before", "w+", "uniform"), ("random before", "w", "mean"),
)  # fmt: skip


def untrained(lab: Lab) -> Generator:
    """The trained generator's sizes with the weights it had before any training; w_avg is that of its own mapping."""
    net = Generator(lab.generator.config, seed=lab.seed)
    net.mapping.estimate_w_avg(torch.Generator().manual_seed(lab.seed))
    return fast_copy(net)


def random_weights(lab: Lab) -> Finding:
    """Fidelity of each reading, against a picture of one color as the least that can be done."""
    images, other = lab.portraits("random weights"), untrained(lab)
    rows, shown, codes = [], {"picture": images[:6]}, {}
    for weights, space, start in TRIALS:
        net = lab.generator if weights == "trained" else other
        found = lab.find(images, space, start, net)
        codes[weights, space, start] = found.ws
        rows.append({"weights": weights, "space": space, "start": start} | measured(dB=found.db, LPIPS=lab.lpips(found.images, images)))
        shown[f"{weights}, {space}, {start}"] = found.images[:6]
    for (weights, space, start), ws in codes.items():
        if weights == "trained":
            made = lab.draw(ws, other)
            row = {"weights": "random after", "space": space, "start": start}
            rows.append(row | measured(dB=decibels(made, images), LPIPS=lab.lpips(made, images)))
            shown[f"random after, {space}, {start}"] = made[:6]
    plain = images.mean((2, 3), keepdim=True).expand_as(images)
    rows.append({"weights": "none: the mean color", "space": "", "start": "", "dB": interval(decibels(plain, images)), "LPIPS": interval(lab.lpips(plain, images))})
    return Finding("random_weights", rows, lab.about, shown)
