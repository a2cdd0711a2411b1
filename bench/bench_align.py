"""How near dlib's crop is to the one from true landmarks, on portraits of the world, and which of its portraits are known as such.

Heads follow the world's law: they turn, nod, wear glasses and beards; the first rows are of heads that look ahead, as in bar W1. "Corners" is the mean distance of the crop's four corners from
the true ones; it, the middle's distance and the side's error are shares of the true side. The median has a 95 % interval from the
order of the values. Nothing here is timed.

    python bench/bench_align.py            200 faces a row, minutes on one core
    python bench/bench_align.py -n 20      does it run?

What the book prints comes from: python bench/bench_align.py --out figures/full/inversion/bench-align.json
"""

import argparse
from pathlib import Path
from statistics import median

import numpy as np
import torch

from iplkit.bars.sets import Scale
from iplkit.bars.world import frontal_people, median_row
from iplkit.errors import UserError
from iplkit.images import to_pil
from iplkit.invert.align import WORLD, quad_error, quad_of, side_of
from iplkit.invert.pictures import Picture
from iplkit.invert.portraits import Cutting, portraits_of
from iplkit.invert.studies.measured import write_measured
from iplkit.world.factors import sample_factors
from iplkit.world.render import render
from iplkit.world.truth import landmarks

ROWS = (  # heads, pixels, landmarks, mirror image asked too
    ("ahead", 512, 68, True),
    ("ahead", 256, 68, True),
    ("any", 512, 68, True),
    ("any", 256, 68, True),
    ("any", 256, 68, False),
    ("any", 64, 68, True),
    ("any", 256, 5, True),
)
BAR = 0.02


def crop_errors(factors: torch.Tensor, size: int, points: int, mirrored: bool) -> list[tuple[float, float, float]]:
    """Corners, middle and side of each crop that was found; see the module."""
    found = []
    for i, (one, truth) in enumerate(zip(factors, landmarks(factors, size=size))):
        picture = Picture(to_pil(render(one[None], size=size, seed=i)), Path(f"{i}"))
        try:
            quad = portraits_of(picture, Cutting(64, aligned=False, points=points, mirrored=mirrored))[0].quad
        except UserError:
            continue
        true = quad_of(truth.numpy())
        found.append((quad_error(quad, true), float(np.hypot(*(quad - true).mean(0))) / side_of(true), side_of(quad) / side_of(true) - 1))
    return found


def known_share(factors: torch.Tensor) -> float:
    """Of portraits of 64 px, those that are taken for what they are."""
    known = 0
    for i, one in enumerate(factors):
        try:
            known += portraits_of(Picture(to_pil(render(one[None], size=64, seed=i)), Path(f"{i}")), Cutting(64, WORLD))[0].aligned
        except UserError:
            continue
    return known / len(factors)


def main() -> None:
    """Print one line a row, and keep them where --out says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    factors = {
        "any": sample_factors(options.number, torch.Generator().manual_seed(options.seed)),
        "ahead": frontal_people(Scale(seed=options.seed), options.number),
    }
    print(f"{options.number} portraits, seed {options.seed}; bar: corners at most {BAR} of the side")
    lines = []
    for heads, size, points, mirrored in ROWS:
        found = crop_errors(factors[heads], size, points, mirrored)
        corners, middles, sides = zip(*found)
        row = median_row("", "", list(corners), f"<= {BAR}", "")
        lines.append(
            {"quantity": f"{heads}, {size} px, {points} points{', with mirror' * mirrored}", "heads": heads, "size": size, "points": points, "mirror": mirrored}
            | {"found": len(found), "n": options.number, "value": row.value, "low": row.low, "high": row.high}
            | {"middle": median(middles), "side": median(sides), "side absolute": median(map(abs, sides)), "asked": f"<= {BAR}", "met": row.value <= BAR}
        )
        print(
            f"{heads:5s} {size:4d} px, {points:2d} points, {'with' if mirrored else 'without'} mirror: found {len(found)} of {options.number}; "
            f"corners {row.value:.4f} [{row.low:.4f}, {row.high:.4f}], middle {median(middles):.4f}, "
            f"side {median(sides):+.4f} (absolute {median(map(abs, sides)):.4f})",
            flush=True,
        )
    known = known_share(factors["any"])
    print(f"  64 px portraits known as portraits: {known:.3f}")
    if options.out:
        rows = [*lines, {"quantity": "portraits of 64 px known as portraits", "value": known, "n": options.number}]
        write_measured(options.out, rows, {"bench": "align", "seed": options.seed, "torch": torch.__version__})


if __name__ == "__main__":
    main()
