"""Reading factors from Z, W and S: how well all coordinates do it together, and how well the best few do it alone.

And row by row: codes of W+ whose rows come from different people tell which row a factor is written in.
"""

import torch
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.edit.probes import best_coordinates, best_probe, principal, shares_of_blocks
from iplkit.findings import Finding
from iplkit.invert.studies.lab import Lab
from iplkit.invert.studies.which_space import known_columns
from iplkit.sweep.summary import mean_interval
from iplkit.world.factors import NAMES
from iplkit.world.fit import r2_score

FEW = (1, 4, 16)  # best coordinates alone
WIDE = 25  # principal directions of a row that the row probe sees
FOLDS = 4


def split(n: int) -> tuple[slice, slice, slice]:
    """To learn from, to choose the ridge on, to score on: three quarters, an eighth, an eighth."""
    return slice(2 * (n // 8), None), slice(n // 8, 2 * (n // 8)), slice(n // 8)


def space_line(name: str, codes: Tensor, factors: Tensor) -> dict:
    """One line of the table: means over the factors."""
    learn, choose, test = split(len(codes))
    probe = best_probe(codes[learn], factors[learn], codes[choose], factors[choose])
    line = {"space": name, "numbers": codes.shape[1], "for nine tenths": principal(codes).enough(0.9)}
    line["all"] = mean_interval(r2_score(probe(codes[test]), factors[test].double()).tolist())
    most = min(FEW[-1], codes.shape[1])
    scores = best_coordinates(codes[learn], factors[learn], codes[test], factors[test], most)
    return line | {f"best {k}": mean_interval(scores[min(k, most) - 1].tolist()) for k in FEW}


@torch.no_grad()
def mixed_rows(lab: Lab) -> Tensor:
    """Codes of W+ whose rows come from as many people, ``[n, R, D]``."""
    rows = lab.generator.num_ws
    z = torch.randn(lab.n * rows, lab.generator.config.z_dim, generator=draw(lab.seed, "a person a row"))
    return torch.cat([lab.generator.mapping.w(part) for part in z.split(4000)]).reshape(lab.n, rows, -1)


def row_lines(lab: Lab, known: list[int]) -> list[dict]:
    """Share of each factor that each row holds, by probes on parts of the codes; one line a row."""
    ws = mixed_rows(lab)
    factors = lab.read(lab.draw(ws))[:, known]
    shape = principal(ws.flatten(0, 1), most=WIDE)
    codes = ((ws.double() - shape.middle) @ shape.directions.T).flatten(1)  # not whitened: the ridge then trusts wide ones more
    shares, scores = [], []
    for part in torch.arange(lab.n).chunk(FOLDS):
        learn, choose, test = split(len(part))
        x, y = codes[part], factors[part]
        probe = best_probe(x[learn], y[learn], x[choose], y[choose])
        shares.append(shares_of_blocks(x, probe, ws.shape[1]))
        scores.append(r2_score(probe(x[test]), y[test].double()))
    shares = torch.stack(shares)  # [folds, R, F]
    line = {NAMES[k]: mean_interval(torch.stack(scores)[:, j].tolist()) for j, k in enumerate(known)}
    rows = [{"space": "W+", "row": "R2 of the probe"} | line]
    return rows + [
        {"space": "W+", "row": str(r)} | {NAMES[k]: mean_interval(shares[:, r, j].tolist()) for j, k in enumerate(known)}
        for r in range(ws.shape[1])
    ]


def spaces(lab: Lab) -> Finding:
    """Z, W, W in its principal directions, and S."""
    known = known_columns(lab)
    z = torch.randn(lab.n, lab.generator.config.z_dim, generator=draw(lab.seed, "codes to read"))
    with torch.no_grad():
        w = lab.generator.mapping.w(z)
        ws = w[:, None].expand(-1, lab.generator.num_ws, -1)
        styles = torch.cat(list(lab.generator.synthesis.styles(ws).values()), dim=1)
    factors = lab.read(lab.draw(ws))[:, known]
    shape = principal(w)
    turned = (w.double() - shape.middle) @ shape.directions.T
    codes = {"Z": z, "W": w, "W, principal": turned, "S": styles}
    rows = [space_line(name, c, factors) for name, c in codes.items()]
    return Finding("spaces", rows + row_lines(lab, known), {"n": lab.n, "seed": lab.seed, "factors": [NAMES[k] for k in known]}, {})
