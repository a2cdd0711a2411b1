"""Perceptual path length: how far the picture moves for a small step in Z, in W, and in one row of W+ alone.

Karras et al. 2019, Sec. 4.1. The paper's LPIPS is the judge's here, so values are compared only with each other.
"""

import torch
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.extractors.lpips import unit_layers
from iplkit.findings import Finding
from iplkit.invert.studies.lab import BATCH, Lab
from iplkit.latents import lerp, slerp
from iplkit.metrics.ppl import ppl
from iplkit.metrics.score import Score
from iplkit.nets.judge import LAYERS
from iplkit.sweep.summary import Interval

EPS = 1e-3
NORMAL = 1.959964  # two-sided 95 %


@torch.no_grad()
def embeddings(lab: Lab, ws: Tensor) -> Tensor:
    """LPIPS vectors of the pictures of some codes, not rounded to 8 bits: steps are too small for that."""
    parts = [lab.model("judge")(lab.generator.synthesis(part, noise_mode="none")).features for part in ws.split(BATCH)]
    return torch.cat([unit_layers([features[name].float() for name in LAYERS]) for features in parts])


def interval(score: Score) -> Interval:
    """As tables hold it."""
    return Interval(score.value, float("nan"), NORMAL * score.spread, score.settings["kept"])


def path_length(lab: Lab) -> Finding:
    """Z along the sphere, W along the line, each row of W+ along its part of that line."""
    rng, rows = draw(lab.seed, "ends of paths"), lab.generator.num_ws
    a, b = torch.randn(2, lab.n, lab.generator.config.z_dim, generator=rng).unbind(0)
    t = torch.rand(lab.n, 1, generator=rng)
    expand = lambda w: w[:, None].repeat(1, rows, 1)  # noqa: E731
    with torch.no_grad():
        wa, wb = lab.generator.mapping.w(a), lab.generator.mapping.w(b)
        z = [expand(lab.generator.mapping.w(slerp(a, b, at))) for at in (t, t + EPS)]
    here, there = expand(lerp(wa, wb, t)), expand(lerp(wa, wb, t + EPS))
    start = embeddings(lab, here)
    table = [{"path": "Z", "length": interval(ppl(embeddings(lab, z[0]), embeddings(lab, z[1]), EPS))}]
    table.append({"path": "W", "length": interval(ppl(start, embeddings(lab, there), EPS))})
    for row in range(rows):
        step = here.clone()
        step[:, row] = there[:, row]
        table.append({"path": f"row {row}", "length": interval(ppl(start, embeddings(lab, step), EPS))})
    return Finding("path_length", table, {"n": lab.n, "seed": lab.seed, "eps": EPS}, {})
