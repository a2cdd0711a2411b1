"""A portrait taken apart: what is skin, eye, lip, hair, glasses at each pixel, and how far it stands out.

Every mask is in [0, 1], ``[N, 1, H, W]``, anti-aliased by its own edge, and differentiable in the factors.
"""

from dataclasses import dataclass

from torch import Tensor

from iplkit.world.curves import Numbers
from iplkit.world.face_parts import age_lines, brows, eyes, mouth, nose
from iplkit.world.geometry import Pose, Surface, bump
from iplkit.world.head_parts import beard, body, glasses, hair

ON_HEAD = "eye brow nostril lip mouth lash crease fold wrinkles frown wing mouth_line lower_lid".split()  # cut at its outline


@dataclass
class Parts:
    """Masks (0..1) and the relief of the face, all ``[N, 1, H, W]``; ``parts.eye`` is the mask called eye."""

    masks: dict[str, Tensor]
    relief: Tensor  # height above the bare head, head units

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self.__dict__["masks"][name]
        except KeyError:
            raise AttributeError(name) from None


def _relief(s: Surface, k: Numbers, m: dict[str, Tensor]) -> Tensor:
    """Height of nose, sockets, cheeks, lips, chin, folds and snout; age hollows the cheeks, a smile fills them."""
    a = s.u.abs()
    young = 1 - k.f["age"]
    height = 0.20 * m["nose_ridge"] + 0.26 * m["nose_tip"] + 0.10 * m["nose_wings"]
    height = height - 0.13 * m["socket"] + 0.07 * bump(s.u, s.v, 0.0, -0.32, 0.75, 0.13)
    height = height + (0.09 + 0.05 * k.f["smile"]) * bump(a, s.v, 0.62, 0.55, 0.30, 0.26)
    height = height - 0.10 * (1 - young) * bump(a, s.v, 0.66, 0.92, 0.20, 0.28)
    height = height + 0.09 * m["lip"] + 0.09 * bump(s.u, s.v, 0.0, 1.62, 0.26, 0.17)
    height = height - 0.05 * m["lip_shadow"] - 0.05 * m["fold"]
    return height + 0.65 * (k.t["snout"] * bump(s.u, s.v, 0.0, 0.92, 0.52, 0.52))


def parts_of(s: Surface, factors: Tensor, names, tweaks: dict[str, Tensor], p: Pose, px: Tensor) -> Parts:
    """All masks of a portrait.

    Args:
        s: where each pixel lies on the head.
        factors: ``[N, F]``.
        names: the factors' names, in order.
        tweaks: the domain's bends (`geometry.Tweaks.toward`).
        p: the pose.
        px: width of an edge in head units, ``[N, 1, 1, 1]``; one pixel, or more for a softer picture.
    """
    k = Numbers.of(factors, names, tweaks)
    m = {**body(s, k, px, p), **eyes(s, k, px), **brows(s, k, px), **nose(s, k, px, p), **mouth(s, k, px)}
    m |= {**hair(s, k, px, p), **glasses(s, k, px), **beard(s, k, px), **age_lines(s, k, px)}
    for name in ON_HEAD:
        m[name] = m[name] * m["head"]
    return Parts(m, _relief(s, k, m) * m["head"])

