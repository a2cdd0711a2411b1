"""How far from W? The encoder at stops between one w for all rows (as e4e wants it) and a free row each (as pSp has it).

Tov et al. 2021, Sec. 3, "the distortion-editability tradeoff". The last column asks what adaptation asks: the code is drawn by an
adapted generator and held against the true render of the same person in that domain. A halo is color where the truth has none: the
difference of mean color in the corners, which belong to no head.
"""

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.findings import Finding
from iplkit.invert.result import decibels
from iplkit.invert.studies.lab import Lab, interval, measured
from iplkit.invert.studies.which_space import editability, edits_of, known_columns, sample_moves, spread_of_rows

STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
ADAPTED = ("ipl-disney", "ipl-anime-painting")


def corner_color(images: Tensor) -> Tensor:
    """Mean color of the two upper corners, an eighth of the side each, ``[N, 3]``."""
    k = images.shape[-1] // 8
    return torch.cat([images[..., :k, :k], images[..., :k, -k:]], dim=3).mean((2, 3))


def how_far_from_w(lab: Lab, adapted: dict[str, nn.Module] | None = None) -> Finding:
    """Each stop: fidelity, person, edits, and what an adapted generator makes of it.

    Args:
        lab: see there.
        adapted: name of a target domain -> generator; None takes two of the shipped ones.
    """
    adapted = {name.split("-", 1)[1].replace("-", " "): zoo.adapted(name) for name in ADAPTED} if adapted is None else adapted
    factors = lab.people("how far from W")
    images = lab.shots(factors, purpose="how far from W")
    edits, known = edits_of(lab, factors), known_columns(lab)
    wanted = sample_moves(lab, edits)
    truth = {name: lab.shots(factors, name, "how far from W") for name in adapted}
    rows, shown = [], {"picture": images[:6]} | {name: x[:6] for name, x in truth.items()}
    for stop in STOPS:
        ws = lab.encode(images, reach=stop)
        found = lab.drawn(ws, images)
        row = {"reach": stop} | measured(dB=found.db, LPIPS=lab.lpips(found.images, images), likeness=lab.likeness(found.images, images))
        row |= {"from W": interval(spread_of_rows(ws))} | editability(lab, found, edits, wanted, known)
        for name, net in adapted.items():
            made = lab.draw(ws, net)
            row |= {f"{name}: dB to truth": interval(decibels(made, truth[name]))}
            row |= {f"{name}: halo": interval((corner_color(made) - corner_color(truth[name])).abs().mean(1))}
            shown[f"{name}, reach {stop:g}"] = made[:6]
        rows.append(row)
        shown[f"reach {stop:g}"] = found.images[:6]
    return Finding("how_far_from_w", rows, lab.about, shown)

