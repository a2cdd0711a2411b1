"""Where to start? The middle of W, a uniform draw, or the encoder's answer, for portraits and for pictures that are none.

Abdal et al. 2019, Sec. 4.2: faces are found best from the middle, other pictures from a uniform draw.
"""

from torch import Tensor

from iplkit.findings import Finding
from iplkit.invert.studies.lab import Lab, interval, measured
from iplkit.invert.studies.textures import textures

KINDS = ("photo", "disney", "ukiyo-e", "cubism", "pointillism", "textures")
STARTS = ("mean", "uniform", "encoder")


def pictures_of(lab: Lab, kind: str) -> Tensor:
    """n pictures of a domain of the world, or textures."""
    return textures(lab.n, lab.size, lab.seed) if kind == "textures" else lab.portraits(f"start {kind}", kind)


def where_to_start(lab: Lab) -> Finding:
    """Each kind of picture from each start; "gain" is the paired difference in dB to the start from the mean."""
    rows, shown = [], {}
    middle = lab.generator.mapping.w_avg
    for kind in KINDS:
        images = pictures_of(lab, kind)
        base = None
        for start in STARTS:
            found = lab.find(images, start=lab.encode(images) if start == "encoder" else start)
            base = found.db if base is None else base
            distance = (found.ws - middle).norm(dim=-1).mean(1)
            row = {"pictures": kind, "start": start} | measured(dB=found.db, gain=found.db - base, distance=distance, loss=found.losses[-1])
            rows.append(row | {"LPIPS": interval(lab.lpips(found.images, images))})
            shown[f"{kind}, {start}"] = found.images[:6]
        shown[kind] = images[:6]
    return Finding("where_to_start", rows, lab.about, shown)


def starts_of(finding: Finding, kind: str) -> dict[str, float]:
    """Start -> mean dB of one kind."""
    return {row["start"]: row["dB"].value for row in finding.rows if row["pictures"] == kind}

