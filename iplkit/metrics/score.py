"""A score: a number that knows how noisy it is and how it was made."""

from dataclasses import asdict, dataclass, field

from torch import Tensor

from iplkit.errors import UserError


@dataclass(frozen=True)
class Score:
    """A number with what is needed to repeat it and to judge it.

    Args:
        name: the metric, with its protocol where there is more than one.
        value: the number itself.
        spread: standard error or deviation, as the metric's docstring says; ``None`` where one run gives none.
        num_real: how many true images, 0 if the metric needs none.
        num_fake: how many images were judged.
        settings: everything else that moves the number.
    """

    name: str
    value: float
    spread: float | None
    num_real: int
    num_fake: int
    settings: dict = field(default_factory=dict)

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.2g}"
        return f"{self.name} = {self.value:.4g}{spread}  ({self.num_fake} fake, {self.num_real} real)"

    def to_json(self) -> dict:
        """Plain numbers and words, ready for a record."""
        return asdict(self)


def check_features(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse features that no distance can compare; return both in float64.

    Args:
        real, fake: ``[N, D]`` and ``[M, D]``, finite.

    Raises:
        UserError: wrong shapes, or a value that is not finite.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise UserError(f"two feature sets [N, D] and [M, D] are needed; got {tuple(real.shape)} and {tuple(fake.shape)}")
    for name, features in (("real", real), ("fake", fake)):
        bad = int((~features.isfinite()).any(dim=1).sum())
        if bad:
            raise UserError(f"features must be finite; {bad} of {len(features)} {name} rows are not")
    return real.double(), fake.double()
