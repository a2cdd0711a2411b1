"""Which loss? Pixels, layers of the critic, or both; and what pictures come out of the same search.

Abdal et al. 2019, Sec. 5.1. The judge's LPIPS and the identity network decide, which are in none of the losses.
"""

from iplkit.findings import Finding
from iplkit.invert.optimize import OptimizeSettings
from iplkit.invert.studies.lab import Lab, measured

BOTH = OptimizeSettings()
LOSSES = {
    "pixels": {"pixels": BOTH.pixels, "perceptual": 0.0},
    "critic's layers": {"pixels": 0.0, "perceptual": BOTH.perceptual},
    "both": {"pixels": BOTH.pixels, "perceptual": BOTH.perceptual},
    "both, layers 10 times": {"pixels": BOTH.pixels, "perceptual": 10 * BOTH.perceptual},
}


def which_loss(lab: Lab) -> Finding:
    """Each loss in W+ from the middle."""
    images = lab.portraits("which loss")
    rows, shown = [], {"picture": images[:6]}
    for name, weights in LOSSES.items():
        found = lab.find(images, **weights)
        columns = measured(dB=found.db, LPIPS=lab.lpips(found.images, images), likeness=lab.likeness(found.images, images))
        rows.append({"loss": name} | columns)
        shown[name] = found.images[:6]
    return Finding("which_loss", rows, lab.about | {"weights": LOSSES}, shown)
