"""A score: a number that knows how noisy it is and how it was made."""

from dataclasses import asdict, dataclass, field, replace

from torch import Tensor

from iplkit.errors import UserError


@dataclass(frozen=True)
class Score:
    """A number with what is needed to repeat it and to judge it.

    Args:
        name: the metric, with its protocol where there is more than one.
        value: the number itself.
        spread: standard error or deviation, as the metric's docstring says; ``None`` where one run gives none.
        num_real: how many true images, or source images of a pair; 0 if the metric needs none.
        num_fake: how many images were judged.
        settings: everything else that moves the number.
        interval: 95 % interval, low and high; ``None`` if none was asked for.
        protocol: whose definition this is, in words, where more than one is in use.
        extractor: name of the network that made the features; empty if the caller did not say.
        extractor_hash: of that network's weights.
    """

    name: str
    value: float
    spread: float | None
    num_real: int
    num_fake: int
    settings: dict = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    protocol: str = ""
    extractor: str = ""
    extractor_hash: str = ""

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.2g}"
        interval = "" if self.interval is None else f" [{self.interval[0]:.4g}, {self.interval[1]:.4g}]"
        return f"{self.name} = {self.value:.4g}{spread}{interval}  ({self.num_fake} fake, {self.num_real} real)"

    def by(self, extractor: str, extractor_hash: str) -> "Score":
        """The same score, signed by the network whose features it was computed from.

        Args:
            extractor: its name.
            extractor_hash: SHA-256 of its weights.
        """
        return replace(self, extractor=extractor, extractor_hash=extractor_hash)

    def to_json(self) -> dict:
        """Plain numbers and words, ready for a record."""
        return asdict(self)


def check_set(features: Tensor, what: str = "the set") -> Tensor:
    """Refuse one set of features that no metric can use; return it in float64.

    Args:
        features: ``[N, D]``, finite.
        what: how a refusal calls it.

    Raises:
        UserError: wrong shape, or a value that is not finite.
    """
    if features.ndim != 2:
        raise UserError(f"features [N, D] are needed of {what}; got {tuple(features.shape)}")
    bad = int((~features.isfinite()).any(dim=1).sum())
    if bad:
        raise UserError(f"features must be finite; {bad} of {len(features)} {what} rows are not")
    return features.double()


def check_features(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse features that no distance can compare; return both in float64.

    Args:
        real, fake: ``[N, D]`` and ``[M, D]``, finite.

    Raises:
        UserError: wrong shapes, or a value that is not finite.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise UserError(f"two feature sets [N, D] and [M, D] are needed; got {tuple(real.shape)} and {tuple(fake.shape)}")
    return check_set(real, "real"), check_set(fake, "fake")


def check_pairs(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse rows that do not belong together, row by row; return both in float64.

    Args:
        source, target: ``[N, D]`` each, row i of both from one latent, N at least 1.

    Raises:
        UserError: wrong or different shapes, no row, or a value that is not finite.
    """
    if source.ndim != 2 or source.shape != target.shape or len(source) == 0:
        raise UserError(f"pairs need two equal sets [N, D], row by row; got {tuple(source.shape)} and {tuple(target.shape)}")
    return check_set(source, "source"), check_set(target, "target")


def mean_score(name: str, values: Tensor, num_real: int, **details) -> Score:
    """Mean of one value per image, with its standard error.

    Args:
        name: the metric.
        values: ``[N]``, N at least 1.
        num_real: see `Score`.
        details: other fields of `Score`. The settings also get the values' "std" (divided by N), "min" and "max".
    """
    n = len(values)
    error = values.std().item() / n**0.5 if n > 1 else None
    extremes = {"std": values.std(unbiased=False).item(), "min": values.min().item(), "max": values.max().item()}
    settings = {**details.pop("settings", {}), **extremes}
    return Score(name, values.mean().item(), error, num_real, n, settings, **details)
