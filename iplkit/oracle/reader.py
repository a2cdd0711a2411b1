"""Factors of pictures that nobody drew from factors: read, never assumed, and always with the error of the reading.

Two routes. The gradient fit (`iplkit.world.fit`) starts from a network's guess and descends through the renderer; it
takes about half a second a picture. The head alone is a thousand times faster, and knows small parts of a face less
well. Either is measured where the truth is known: on fresh renders of the domain.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import from_uint8, to_uint8
from iplkit.world.domains.catalog import check_domain
from iplkit.world.factors import NAMES, NUM_FACTORS, sample_factors
from iplkit.world.fit import Fit, FitError, FitSettings, Head, factor_errors, fit, picture_loss
from iplkit.world.render import render

BATCH = 100
LEAST_RENDERS = 8


@dataclass(frozen=True)
class Reading:
    """What was read from N pictures of one domain."""

    domain: str
    factors: Tensor  # [N, F] in [0, 1]
    residual: float  # mean difference of the pictures and of renders of what was read; see `Reader.residual_on_renders`


class Reader:
    """Reads the factors of pictures, and measures once for each domain how well it does.

    Args:
        head: pictures ``[N, 3, S, S]`` in [-1, 1] -> factors ``[N, F]``, for example ``lambda x: judge(x).factors``.
        head_only: take the head's answer as it is; no gradient fit.
        fit: settings of the gradient fit, and the size at which residuals are taken.
        renders: portraits on which the error is measured, at least 8.
        seed: of these portraits.
        size: their side in pixels.

    Raises:
        UserError: for fewer renders.
    """

    def __init__(self, head: Head, *, head_only: bool = False, fit: FitSettings = FitSettings(), renders: int = 64, seed: int = 0, size: int = 64):
        if renders < LEAST_RENDERS:
            raise UserError(f"an error of a reading needs at least {LEAST_RENDERS} renders; got {renders}")
        self.head, self.head_only, self.fit, self.renders, self.seed, self.size = head, head_only, fit, renders, seed, size
        self._errors: dict[str, FitError] = {}
        self._residuals: dict[str, float] = {}

    @property
    def protocol(self) -> str:
        """One sentence for a score: by which route the factors were read."""
        if self.head_only:
            return "factors from the regression head alone"
        return f"factors from a gradient fit of {self.fit.steps} steps at {self.fit.size} px, first guess by the head"

    def __call__(self, images: Tensor, domain: str) -> Reading:
        """Read pictures as portraits of one domain.

        The head alone does not use the domain; only the residual does.

        Args:
            images: ``[N, 3, S, S]``, float in [-1, 1] or uint8; rounded to 8 bits.
            domain: what they are taken for.

        Raises:
            UserError: unknown domain, images of another shape, or a head that gives no factors.
        """
        check_domain(domain)
        images = from_uint8(images if images.dtype == torch.uint8 else to_uint8(images))
        found = self._read(images, domain)
        return Reading(domain, found.factors, found.loss.mean().item())

    def error(self, domain: str) -> FitError:
        """The error of this route in a domain, on fresh renders with textures of their own. Measured once."""
        if domain not in self._errors:
            self._measure(domain)
        return self._errors[domain]

    def residual_on_renders(self, domain: str) -> float:
        """The residual on true renders. Pictures with a much larger one are no portraits of the domain."""
        if domain not in self._residuals:
            self._measure(domain)
        return self._residuals[domain]

    def known(self, *domains: str) -> list[str]:
        """Factors that are known well enough in all of these domains: R2 of at least 0.5 on renders."""
        lost = {name for domain in domains for name in self.error(domain).left_out}
        return [name for name in NAMES if name not in lost]

    def about(self, *domains: str) -> dict:
        """What a score must say of the reading: protocol, and for each domain error and factors left out."""
        errors = [self.error(domain) for domain in domains]
        return {
            "protocol": self.protocol,
            "error": {e.domain: {row.factor: {"r2": row.r2, "mean absolute": row.error} for row in e.factors} for e in errors},
            "error renders": self.renders,
            "left out": {e.domain: list(e.left_out) for e in errors},
        }

    def _measure(self, domain: str) -> None:
        check_domain(domain)
        generator = torch.Generator().manual_seed(self.seed)
        truth = sample_factors(self.renders, generator)
        textures = torch.randint(1, 2**31 - 1, (self.renders,), generator=generator)
        with torch.no_grad():
            images = from_uint8(to_uint8(render(truth, domain, self.size, seed=textures)))
        found = self._read(images, domain)
        self._errors[domain] = FitError(domain, self.renders, factor_errors(found, truth))
        self._residuals[domain] = found.loss.mean().item()

    def _read(self, images: Tensor, domain: str) -> Fit:
        if not self.head_only:
            return fit(images, domain, self.head, self.fit)
        with torch.no_grad():
            factors = torch.cat([self.head(part) for part in images.split(BATCH)]).float().clamp(0, 1)
            if factors.shape != (len(images), NUM_FACTORS):
                raise UserError(f"the head must give factors [{len(images)}, {NUM_FACTORS}]; got {tuple(factors.shape)}")
            loss = self._residual(factors, images, domain)
        return Fit(factors, loss, factors, loss)

    def _residual(self, factors: Tensor, images: Tensor, domain: str) -> Tensor:
        """As `iplkit.world.fit` has it: both averaged down, texture seed 0."""
        small = F.avg_pool2d(images, images.shape[-1] // self.fit.size)
        return picture_loss(render(factors, domain, self.fit.size, seed=[0] * len(factors)), small, self.fit.blur * self.fit.size)
