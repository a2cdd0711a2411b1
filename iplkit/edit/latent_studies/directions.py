"""Directions of W, found in five ways: how pure is what they move?

*Principal* ones need no labels (Härkönen et al. 2020); each is named after the factor it moves most. *Thirds* are
differences of two means. *Reading* is the linear map that reads the factor from w, taken as a direction. *Writing* is the
least squares of w on all factors at once. *Taught* is the same on the numbers that the warm start gave to z, so no
network guesses.
"""

import torch
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.edit.moves import largest, purity
from iplkit.edit.probes import best_probe, fit_probe, principal
from iplkit.findings import Finding
from iplkit.invert.studies.directions import taught_directions
from iplkit.invert.studies.lab import Lab
from iplkit.invert.studies.which_space import known_columns
from iplkit.latents import add_to_rows
from iplkit.sweep.summary import mean_interval
from iplkit.web.directions import thirds_direction
from iplkit.world.factors import NAMES

CODES = 1600
COMPONENTS = 25
REACH = 1.0  # standard deviations of the factor that a direction should move it, to either side


@torch.no_grad()
def labelled(lab: Lab, codes: int) -> tuple[Tensor, Tensor]:
    """Codes of W with what the judge reads in their pictures, ``[N, D]`` and ``[N, F]``."""
    z = torch.randn(codes, lab.generator.config.z_dim, generator=draw(lab.seed, "codes with labels"))
    w = lab.generator.mapping.w(z)
    return w, lab.read(lab.draw(w[:, None].expand(-1, lab.generator.num_ws, -1)))


def families(lab: Lab, w: Tensor, factors: Tensor, known: list[int]) -> dict[str, dict[str, Tensor]]:
    """Way -> name -> direction ``[D]``, each as long as it should move its factor `REACH` standard deviations."""
    names, spread = [NAMES[k] for k in known], factors.std(0)
    shape, y = principal(w, most=COMPONENTS), factors[:, known]
    third, gap = len(w) // 3, y.sort(dim=0).values
    gap = (gap[-third:].mean(0) - gap[:third].mean(0)).clamp_min(1e-6)  # [F], what the thirds differ by
    thirds = [REACH * spread[k] * thirds_direction(w, factors[:, k]) / g for k, g in zip(known, gap)]
    part = len(w) // 4
    reading = best_probe(w[part:], y[part:], w[:part], y[:part]).weights.T.float()  # [F, D]
    reading = [REACH * spread[k] * b / b.square().sum().clamp_min(1e-12) for k, b in zip(known, reading)]
    writing = fit_probe(y, w, 1e-6).weights.float()  # [F, D], w on the factors
    taught = taught_directions(lab.generator, names)  # from a factor's low end to its high end
    return {
        "principal": {f"component {k}": (REACH * s * d).float() for k, (s, d) in enumerate(zip(shape.spreads, shape.directions))},
        "thirds": dict(zip(names, thirds)), "reading": dict(zip(names, reading)),
        "writing": {name: REACH * spread[k] * d for name, k, d in zip(names, known, writing)},
        "taught": {name: REACH * spread[k] * d for name, k, d in zip(names, known, taught)},
    }  # fmt: skip


def moves_of(lab: Lab, ws: Tensor, direction: Tensor, spread: Tensor) -> Tensor:
    """How far each factor moves between one step back and one step forth, in its standard deviations, ``[N, F]``."""
    ends = [lab.read(lab.draw(add_to_rows(ws, direction, range(ws.shape[1]), sign))) for sign in (-1.0, 1.0)]
    return (ends[1] - ends[0]) / spread


def directions(lab: Lab, codes: int = CODES) -> Finding:
    """One line a direction, and one a way with the mean over its directions."""
    known = known_columns(lab)
    w, factors = labelled(lab, min(codes, 80 * lab.n))
    ws, _ = lab.samples("who is moved")
    names, rows, means = [NAMES[k] for k in known], [], []
    for way, found in families(lab, w, factors, known).items():
        lines = []
        for name, direction in found.items():
            moves = moves_of(lab, ws, direction, factors.std(0))[:, known]
            asked = names.index(name) if name in names else largest(moves.mean(0))
            others = [k for k in range(len(known)) if k != asked]
            lines.append({
                "way": way, "direction": name, "factor": names[asked], "purity": purity(moves.mean(0), asked),
                "moves": mean_interval(moves[:, asked].tolist()), "others": mean_interval(moves[:, others].mean(0).abs().tolist()),
            })  # fmt: skip
        rows += lines
        means.append({
            "way": way, "direction": "mean", "directions": len(lines), "factors": len({line["factor"] for line in lines}),
            "purity": mean_interval([line["purity"] for line in lines]),
            "moves": mean_interval([abs(line["moves"].value) for line in lines]), "others": mean_interval([line["others"].value for line in lines]),
        })  # fmt: skip
    return Finding("directions", means + rows, {"n": lab.n, "seed": lab.seed, "codes": len(w), "reach": REACH, "factors": names}, {})
