"""The lab report's random walk as it was, and done right: which factors move, and whether a person is left.

Three ways to move a group of rows, each looked at after 15, 30 and 45 of 50 steps: the report's offset; an offset with the
covariance of W, nothing else changed; and the straight way to the rows of another person.
"""

import torch

from iplkit.adapt.draws import draw
from iplkit.edit.moves import moves_by_factor
from iplkit.edit.probes import principal
from iplkit.edit.walks import FRAMES, STEPS, inside, isotropic, report_groups, share_inside, toward, walked
from iplkit.findings import Finding
from iplkit.invert.studies.lab import Lab, measured
from iplkit.invert.studies.which_space import known_columns
from iplkit.world.factors import NAMES

WAYS = ("as it was", "inside W", "another person")
CODES = 8000  # for the shape of W


def shape_of_w(lab: Lab, codes: int = CODES):
    """Principal directions of W."""
    z = torch.randn(codes, lab.generator.config.z_dim, generator=draw(lab.seed, "shape of W"))
    with torch.no_grad():
        return principal(lab.generator.mapping.w(z))


def lab_report(lab: Lab) -> Finding:
    """Each way, each group, each frame."""
    known, shape = known_columns(lab), shape_of_w(lab)
    (ws, images), (others, _) = lab.samples("walkers"), lab.samples("who they walk to")
    before, size = lab.read(images)[:, known], lab.size
    groups = report_groups(size)
    rows = [{"way": "standing", "rows": "", "frame": 0} | measured(photo=lab.domain_share(images))]
    outside = []
    for group in groups:
        rng = draw(lab.seed, f"offset {group.start}")
        offsets = {"as it was": isotropic(lab.n, group, ws.shape[2], rng), "inside W": inside(lab.n, group, shape, rng)}
        outside.append(share_inside(offsets["as it was"], shape))
        for way in WAYS:
            for frame in FRAMES[1:]:
                moved = walked(ws, group, offsets[way], frame) if way in offsets else toward(ws, others, group, frame / STEPS)
                pictures = lab.draw(moved)
                line = {"way": way, "rows": f"{group.start}:{group.stop}", "frame": frame}
                line |= measured(photo=lab.domain_share(pictures), likeness=lab.likeness(pictures, images))
                rows.append(line | {NAMES[k]: i for k, i in zip(known, moves_by_factor(before, lab.read(pictures)[:, known]))})
    spread = float(shape.spreads.square().mean().sqrt())
    about = {"n": lab.n, "seed": lab.seed, "factors": [NAMES[k] for k in known], "directions": shape.enough(0.9)}
    about |= {"of the offset in these": sum(outside) / len(outside), "spread of a coordinate": spread, "width": ws.shape[2]}
    return Finding("lab_report", rows, about, {})
