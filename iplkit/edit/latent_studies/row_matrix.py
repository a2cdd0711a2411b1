"""Which row of W+ moves which factor: single rows, or groups of them, are taken from another person.

Two measures stand side by side. *Moved* is the mean size of the move, over the mean size of the whole way to the other
person. *Way* is the slope of the move on that way: what goes to and fro cancels, and so do errors of whoever reads.
The judge reads all pairs. `row_fit` reads a few of them with the fit through the renderer, another instrument altogether.
"""

import torch
from torch import Tensor

from iplkit.edit.layers import take_each_row, take_rows
from iplkit.edit.moves import interval_of, moved_shares, shares_of_the_way
from iplkit.features import judge_features
from iplkit.findings import Finding
from iplkit.images import to_uint8
from iplkit.invert.studies.lab import Lab
from iplkit.invert.studies.which_space import known_columns
from iplkit.latents import row_groups
from iplkit.world.factors import NAMES
from iplkit.world.fit import FitSettings, fit

READ = 500  # renders on which it is asked which factors the judge reads
MEASURES = {"moved": moved_shares, "way": shares_of_the_way}


def lines(where: list[str], before: Tensor, after: Tensor, donor: Tensor, names: list[str], reader: str) -> list[dict]:
    """One line a place and measure, one column a factor."""
    found = []
    for measure, of in MEASURES.items():
        share, half = of(before, after, donor)
        for r, place in enumerate(where):
            row = {"place": place, "measure": measure, "reader": reader}
            found.append(row | {name: interval_of(share[r, k], half[r, k], len(before)) for k, name in enumerate(names)})
    return found


def fitted(lab: Lab, images: Tensor) -> Tensor:
    """Factors of pictures by the fit through the renderer, ``[N, F]``; the judge gives only the first guess."""
    return fit(images.clamp(-1, 1), "photo", lambda x: judge_features(lab.model("judge"), to_uint8(x))["factors"], FitSettings()).factors


def row_matrix(lab: Lab) -> Finding:
    """Every row, every factor that the judge reads on fresh renders."""
    known = known_columns(lab)
    names = [NAMES[k] for k in known]
    (ours, mine), (theirs, other) = lab.samples("receivers"), lab.samples("donors")
    before, donor = lab.read(mine)[:, known], lab.read(other)[:, known]
    after = torch.stack([lab.read(lab.draw(ws))[:, known] for ws in take_each_row(ours, theirs)])
    rows = lines([f"row {row}" for row in range(len(after))], before, after, donor, names, "judge")
    return Finding("row_matrix", rows, {"n": lab.n, "seed": lab.seed, "factors": names}, {})


def row_fit(lab: Lab) -> Finding:
    """Groups of rows again, read by the fit and by the judge from the same pictures; a few seconds a pair."""
    known = known_columns(Lab(READ, 0, lab.seed, lab.given))
    names = [NAMES[k] for k in known]
    (ours, mine), (theirs, other) = lab.samples("receivers"), lab.samples("donors")
    groups = {name: rows for name, rows in row_groups(lab.generator.num_ws).items() if len(rows)}
    pictures = [lab.draw(take_rows(ours, theirs, rows)) for rows in groups.values()]
    found = []
    for reader, read in (("fit", fitted), ("judge", Lab.read)):
        before, donor, *after = (read(lab, x)[:, known] for x in (mine, other, *pictures))
        found += lines(list(groups), before, torch.stack(after), donor, names, reader)
    return Finding("row_fit", found, {"n": lab.n, "seed": lab.seed, "factors": names}, {})
