"""Style crossover: the first rows from one picture, the others from another, at every row.

Abdal et al. 2019, Sec. 4.3, takes the first 9 of 18 rows from the content; published code cuts at 10. Row i drives one
convolution, and the same number means another grid in another generator: 9 of 18 ends with the 64 px layers, which
in a generator of 64 px is the last row but one.
"""

from torch import Tensor

from iplkit.findings import Finding
from iplkit.invert.studies.lab import Lab, interval
from iplkit.invert.studies.which_space import known_columns
from iplkit.latents import mix
from iplkit.stylegan2.styles import row_table

STYLES = ("photo", "ukiyo-e")


def toward(before: Tensor, after: Tensor, donor: Tensor) -> Tensor:
    """How much of the way to the donor factors have gone, ``[N, F]`` three times -> ``[N]``; 0 nothing, 1 all."""
    way = donor - before
    return ((after - before) * way).sum(1) / way.square().sum(1).clamp_min(1e-6)


def crossover(lab: Lab) -> Finding:
    """Rows from 0 to all: how much of the person and of the look each cut takes from the style picture."""
    known, num_ws = known_columns(lab), lab.generator.num_ws
    grids = [int(layers[0].lstrip("abcdefghijklmnopqrstuvwxyz")) for layers in row_table(num_ws)]
    rows, shown = [], {}
    for domain in STYLES:
        content, style = lab.portraits("content"), lab.portraits(f"style {domain}", domain)
        a, b = lab.find(content).ws, lab.find(style).ws
        drawn, donor = lab.draw(a), lab.draw(b)
        before, end = lab.read(drawn)[:, known], lab.read(donor)[:, known]
        shown |= {f"{domain}: content": drawn[:6], f"{domain}: style": donor[:6]}
        for cut in range(num_ws + 1):
            made = lab.draw(mix(a, b, cut))
            row = {"style from": domain, "cut": cut, "grid": f"{grids[cut]} px" if cut < num_ws else "none"}
            row |= {"person of content": interval(lab.likeness(made, drawn)), "person of style": interval(lab.likeness(made, donor))}
            row |= {"factors from style": interval(toward(before, lab.read(made)[:, known], end))}
            rows.append(row | {"LPIPS to content": interval(lab.lpips(made, drawn)), "LPIPS to style": interval(lab.lpips(made, donor))})
            if cut in (num_ws // 2, num_ws // 2 + 1, num_ws - 1):
                shown[f"{domain}, cut at {cut}"] = made[:6]
    return Finding("crossover", rows, lab.about | {"factors read": len(known), "same grid as 9 of 18": num_ws - 1 if num_ws < 18 else 9}, shown)

