"""The named factors of a portrait: what a person is, and what merely happens to be the case.

Every factor lives in [0, 1]. *Identity* factors stay with the person; *circumstance* factors change from picture to
picture. The list is the truth that the rest of the book measures against.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.errors import UserError


@dataclass(frozen=True)
class Factor:
    """One number that decides one thing about a portrait."""

    name: str
    group: str  # "identity" or "circumstance"
    meaning: str
    low: str  # what 0 looks like
    high: str  # what 1 looks like


FACTORS = (
    Factor("skin_tone", "identity", "lightness of the skin", "pale", "dark"),
    Factor("skin_hue", "identity", "tint of the skin", "rosy", "olive"),
    Factor("femininity", "identity", "brows, lips, jaw and lashes", "man or boy", "woman or girl"),
    Factor("age", "identity", "folds, wrinkles, fullness of the cheeks", "young", "old"),
    Factor("face_width", "identity", "width of the head", "narrow", "wide"),
    Factor("jaw", "identity", "width of the jaw", "pointed", "square"),
    Factor("nose", "identity", "size of the nose", "small", "large"),
    Factor("lips", "identity", "fullness of the lips", "thin", "full"),
    Factor("eye_color", "identity", "color of the iris", "brown", "blue"),
    Factor("hair_color", "identity", "color of hair, brows and beard", "black", "grey"),
    Factor("yaw", "circumstance", "turn of the head", "to the left", "to the right"),
    Factor("pitch", "circumstance", "nod of the head", "up", "down"),
    Factor("light", "circumstance", "where the light comes from", "left", "right"),
    Factor("size", "circumstance", "size of the head in the picture", "far", "near"),
    Factor("smile", "circumstance", "corners of the mouth", "down", "up"),
    Factor("mouth_open", "circumstance", "opening of the mouth", "closed", "open"),
    Factor("eye_open", "circumstance", "opening of the eyes", "narrow", "wide"),
    Factor("brow", "circumstance", "height of the brows", "lowered", "raised"),
    Factor("hair_length", "circumstance", "length of the hair", "bald", "long"),
    Factor("fringe", "circumstance", "how far hair covers the forehead", "none", "to the brows"),
    Factor("curl", "circumstance", "texture of the hair", "straight", "curly"),
    Factor("glasses", "circumstance", "glasses", "not worn", "worn"),
    Factor("beard", "circumstance", "beard", "shaven", "full"),
    Factor("background", "circumstance", "color behind the head", "grey", "violet"),
    Factor("clothes", "circumstance", "color of the clothes", "red", "purple"),
)
NAMES = tuple(f.name for f in FACTORS)
IDENTITY = tuple(f.name for f in FACTORS if f.group == "identity")
CIRCUMSTANCE = tuple(f.name for f in FACTORS if f.group == "circumstance")
NUM_FACTORS = len(FACTORS)


def index(name: str) -> int:
    """Column of the factor called `name`.

    Raises:
        UserError: if there is no such factor.
    """
    if name not in NAMES:
        raise UserError(f"a factor is one of {', '.join(NAMES)}; got {name!r}")
    return NAMES.index(name)


def indices(names) -> list[int]:
    """Columns of several factors, in the order given."""
    return [index(name) for name in names]


def column(factors: Tensor, name: str) -> Tensor:
    """The values of one factor, ``[N, F]`` -> ``[N]``."""
    return factors[:, index(name)]


def check_factors(factors: Tensor) -> None:
    """Refuse a tensor that is not ``[N, F]`` with F factors in [0, 1].

    Raises:
        UserError: one sentence.
    """
    if factors.ndim != 2 or factors.shape[1] != NUM_FACTORS:
        raise UserError(f"factors must have shape [N, {NUM_FACTORS}]; got {tuple(factors.shape)}")
    if factors.numel():
        low, high = (float(end) for end in factors.detach().aminmax())
        if not (low >= -1e-6 and high <= 1 + 1e-6):  # a NaN is in no range
            raise UserError(f"factors lie in [0, 1]; got values from {low:.3g} to {high:.3g}")


def from_uniform(u: Tensor) -> Tensor:
    """Turn independent uniform numbers into the world's factors, which are not independent.

    Children, and most women, wear no beard; heads more often look ahead than aside; a closed eye is rare.

    Args:
        u: ``[N, F]``, uniform in [0, 1].

    Returns:
        Factors ``[N, F]`` in [0, 1]; differentiable, and increasing in each of its own numbers.
    """
    check_factors(u)
    f = list(u.unbind(1))
    for name in ("yaw", "pitch"):
        centered = 2 * f[index(name)] - 1
        f[index(name)] = 0.5 + 0.5 * (0.45 * centered + 0.55 * centered**3)
    can_grow = torch.sigmoid((0.5 - column(u, "femininity")) * 24) * torch.sigmoid((column(u, "age") - 0.3) * 24)
    f[index("beard")] = column(u, "beard") * (0.3 + 0.7 * can_grow)
    f[index("mouth_open")] = column(u, "mouth_open") ** 1.5
    return torch.stack(f, dim=1)


def sample_factors(n: int, generator: torch.Generator) -> Tensor:
    """Draw `n` portraits' factors, ``[n, F]``, from the world's distribution."""
    return from_uniform(torch.rand(n, NUM_FACTORS, generator=generator))
