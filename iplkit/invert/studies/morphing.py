"""Morphing: the straight way between two codes. Does every factor go straight, and what lies between pictures that are no faces?

Abdal et al. 2019, Sec. 4.2: faces morph well; between other pictures ghosts of faces appear. Here a factor is read along the way,
and the judge says whether a portrait of the photo domain is seen.
"""

import torch
from torch import Tensor

from iplkit.findings import Finding
from iplkit.invert.studies.lab import Lab, interval
from iplkit.invert.studies.textures import textures
from iplkit.invert.studies.which_space import known_columns
from iplkit.latents import lerp

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
KINDS = ("photo", "ukiyo-e", "textures")


def straightness(path: Tensor) -> Tensor:
    """How far factors leave the straight way, in units of its length, ``[T, N, F]`` -> ``[N]``.

    The mean over factors and inner stops, against the mean move of a factor from end to end.
    """
    share = torch.linspace(0, 1, len(path)).view(-1, 1, 1)
    off = (path - lerp(path[:1], path[-1:], share)).abs()[1:-1]
    return off.mean((0, 2)) / (path[-1] - path[0]).abs().mean(1).clamp_min(1e-6)


def cross_fade(images: Tensor, others: Tensor) -> Tensor:
    """What morphing must beat: the pictures themselves, faded over, ``[T, N, 3, S, S]``."""
    return torch.stack([lerp(images, others, share) for share in SHARES])


def morphing(lab: Lab) -> Finding:
    """Portraits, pictures of another domain and textures: morphs in W+, in W, and a fade of the pictures."""
    known = known_columns(lab)
    rows, shown = [], {}
    for kind in KINDS:
        images = textures(lab.n, lab.size, lab.seed) if kind == "textures" else lab.portraits(f"morph {kind}", kind)
        others = images.roll(1, 0)
        ways = {"fade of pictures": cross_fade(images, others)}
        for space in ("w+", "w"):
            ws = lab.find(images, space).ws
            ways[space] = torch.stack([lab.draw(lerp(ws, ws.roll(1, 0), share)) for share in SHARES])
        for way, path in ways.items():
            middle = len(SHARES) // 2
            photo = torch.stack([lab.domain_share(step) for step in path])
            row = {"pictures": kind, "way": way, "photo at the ends": interval(photo[[0, -1]].mean(0)), "photo half way": interval(photo[middle])}
            if kind == "photo":
                row["off the straight way"] = interval(straightness(torch.stack([lab.read(step)[:, known] for step in path])))
            rows.append(row)
            shown[f"{kind}, {way}"] = path[:, 0]
    return Finding("morphing", rows, lab.about | {"shares": SHARES, "factors read": len(known)}, shown)
