"""From a picture back to its factors: a first guess by a network, then gradient steps through the renderer.

A picture that a generator drew has no factors of its own. Whatever is said about its person is fitted here, and carries
the error of the fit, which `fit_error` measures where the truth is known: on fresh renders.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.errors import UserError
from iplkit.world.domains.catalog import check_domain
from iplkit.world.factors import NAMES, NUM_FACTORS, index, sample_factors
from iplkit.world.render import check_size, render
from iplkit.world.shading import blur

Head = Callable[[Tensor], Tensor]  # images [N, 3, S, S] in [-1, 1] -> factors [N, F] in [0, 1]
MARGIN = 0.02  # a first guess is kept so far from 0 and 1, where a logit has no end
CHOICES = {"hair_color": (0.1, 0.3, 0.5, 0.7, 0.9), "glasses": (0.3, 0.9), "beard": (0.2, 0.75)}  # steps with flat treads
JUMP = 0.98  # another choice must lower the residual at least to this share
LEAST_R2 = 0.5  # a factor known worse than this is left out


@dataclass(frozen=True)
class FitSettings:
    """How a picture is fitted."""

    size: int = 32  # pixels at which pictures are compared
    steps: int = 80
    rate: float = 0.15  # Adam's, in logits; falls to a tenth
    softness: float = 0.06  # width of edges at the first step, head units; 0 from three quarters of the way
    blur: float = 1 / 16  # standard deviation of the blurred comparison, in picture sides
    batch: int = 32  # pictures fitted together; changes nothing but memory

    def __post_init__(self):
        check_size(self.size)
        if self.steps < 0 or self.batch < 1:
            raise UserError(f"a fit needs steps from 0 and batch from 1 up; got {self.steps} and {self.batch}")


@dataclass(frozen=True)
class Fit:
    """Factors of N pictures, and how well their renders agree with the pictures."""

    factors: Tensor  # [N, F]
    loss: Tensor  # [N], mean absolute difference of picture and render in [-1, 1], plain plus blurred
    start: Tensor  # [N, F], the first guess
    start_loss: Tensor  # [N]


def picture_loss(images: Tensor, target: Tensor, radius: float) -> Tensor:
    """Mean absolute difference, plain plus blurred; the blurred one pulls parts from afar.

    Args:
        images, target: ``[N, 3, S, S]`` in [-1, 1].
        radius: standard deviation of the blur in pixels.

    Returns:
        ``[N]``.
    """
    difference = images - target
    return difference.abs().mean(dim=(1, 2, 3)) + blur(difference, radius).abs().mean(dim=(1, 2, 3))


def fit(images: Tensor, domain: str, head: Head, settings: FitSettings = FitSettings()) -> Fit:
    """Estimate the factors of pictures of one domain.

    The fit renders with texture seed 0; a picture's own texture is unknown and stays in the residual. Where the steps
    make the sharp residual worse, the first guess stands. Rounding apart, a picture does not depend on the others.

    Args:
        images: ``[N, 3, S, S]`` in [-1, 1], square; averaged down to the fit's size.
        domain: the domain to render in.
        head: gives the first guess, for example the factors of a classifier.
        settings: see `FitSettings`.

    Raises:
        UserError: for an unknown domain, images of another shape or of a size that cannot be averaged down to the
            fit's, or a head that gives no factors.
    """
    check_domain(domain), _check_images(images, settings)
    rows = range(0, len(images), settings.batch)
    parts = [_fit_batch(images[k : k + settings.batch], domain, head, settings) for k in rows]
    if not parts:
        none = images.new_zeros(0, NUM_FACTORS)
        return Fit(none, none[:, 0], none, none[:, 0])
    return Fit(*(torch.cat(values) for values in zip(*parts)))


def _check_images(images: Tensor, settings: FitSettings) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise UserError(f"a fit needs images [N, 3, S, S]; got {tuple(images.shape)}")
    if images.shape[-1] % settings.size:
        raise UserError(f"a fit at {settings.size} px needs images of a multiple of that; got {images.shape[-1]} px")


def _first_guess(images: Tensor, head: Head) -> Tensor:
    with torch.no_grad():
        guess = head(images)
    if guess.shape != (len(images), NUM_FACTORS):
        raise UserError(f"the head must give factors [{len(images)}, {NUM_FACTORS}]; got {tuple(guess.shape)}")
    return guess.detach().to(images.dtype).clamp(0, 1)


def _fit_batch(images: Tensor, domain: str, head: Head, settings: FitSettings) -> tuple[Tensor, ...]:
    """Factors, loss, start and start_loss of a few pictures."""
    start = _first_guess(images, head)
    with torch.inference_mode(False), torch.no_grad():
        target, start = F.avg_pool2d(images.clone(), images.shape[-1] // settings.size), start.clone()
        found = _descend(start, target, domain, settings)
        before, after = (_residual(f, target, domain, settings) for f in (start, found))
        better = after < before
        return torch.where(better[:, None], found, start), torch.where(better, after, before), start, before


def _render(factors: Tensor, domain: str, settings: FitSettings, softness: float = 0.0) -> Tensor:
    return render(factors, domain, settings.size, seed=[0] * len(factors), softness=softness)


def _residual(factors: Tensor, target: Tensor, domain: str, settings: FitSettings) -> Tensor:
    return picture_loss(_render(factors, domain, settings), target, settings.blur * settings.size)


def _descend(start: Tensor, target: Tensor, domain: str, settings: FitSettings) -> Tensor:
    """Adam in logits, from soft edges to sharp ones, with one look at the choices half way; each picture for itself."""
    logits = start.clamp(MARGIN, 1 - MARGIN).logit().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=settings.rate, betas=(0.9, 0.95))
    for step in range(settings.steps):
        done = step / settings.steps
        # Adam steps as far for a lip as for a head; a large eps holds small parts back until large ones lie right.
        optimizer.param_groups[0].update(lr=settings.rate * (1 - 0.9 * done), eps=1e-3 * 10 ** (-1.5 * done))
        softness = settings.softness * max(0.0, 1 - done / 0.75)
        with torch.enable_grad():
            pictures = _render(logits.sigmoid(), domain, settings, softness)
            loss = picture_loss(pictures, target, settings.blur * settings.size).sum()
        (logits.grad,) = torch.autograd.grad(loss, logits)
        optimizer.step()
        if step == settings.steps // 2:
            logits.copy_(_choose(logits.sigmoid(), target, domain, settings).clamp(MARGIN, 1 - MARGIN).logit())
    return logits.detach().sigmoid()


def _choose(factors: Tensor, target: Tensor, domain: str, settings: FitSettings) -> Tensor:
    """Try the factors that no gradient moves: glasses are worn or not, and between two hair colors lies a border."""
    best, least = factors.detach(), _residual(factors.detach(), target, domain, settings)
    for name, values in CHOICES.items():
        tried = best  # all values against the same picture
        for value in values:
            other = tried.clone()
            other[:, index(name)] = value
            loss = _residual(other, target, domain, settings)
            better = loss < JUMP * least
            best, least = torch.where(better[:, None], other, best), torch.where(better, loss, least)
    return best


@dataclass(frozen=True)
class FactorError:
    """How well one factor is known after a fit, and after the first guess alone."""

    factor: str
    r2: float  # 1 - squared error / variance of the truth; 1 is perfect, 0 no better than the mean
    error: float  # mean absolute
    start_r2: float
    start_error: float

    @property
    def known(self) -> bool:
        """Whether something may be said about this factor."""
        return self.r2 >= LEAST_R2


@dataclass(frozen=True)
class FitError:
    """The error of the fit in one domain, by factor, on n fresh renders."""

    domain: str
    n: int
    factors: tuple[FactorError, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Factors of which nothing may be said in this domain: R2 below 0.5."""
        return tuple(row.factor for row in self.factors if not row.known)

    def table(self) -> list[dict]:
        """One row a factor: domain, factor, R2 and mean absolute error of the fit and of the first guess, known."""
        return [{"domain": self.domain, **vars(row), "known": row.known} for row in self.factors]


def r2_score(estimate: Tensor, truth: Tensor) -> Tensor:
    """Share of the truth's variance that the estimate explains, ``[N, F], [N, F]`` -> ``[F]``."""
    wrong = (estimate - truth).square().sum(0)
    return 1 - wrong / (truth - truth.mean(0)).square().sum(0).clamp_min(1e-12)


def fit_error(
    domain: str, head: Head, n: int, seed: int, settings: FitSettings = FitSettings(), size: int = 64, device="cpu"
) -> FitError:
    """Measure the fit where the truth is known: on fresh renders with textures of their own.

    Args:
        domain: where.
        head, settings: see `fit`.
        n: how many portraits, at least 2.
        seed: of their factors and textures.
        size: pixels of the renders that the head sees.
        device: where the head lives and the fit runs; the portraits are the same on all.

    Raises:
        UserError: see `fit`, and if there are fewer than two portraits.
    """
    if n < 2:
        raise UserError(f"an error needs at least 2 portraits; got {n}")
    generator = torch.Generator().manual_seed(seed)
    truth = sample_factors(n, generator).to(device)
    textures = torch.randint(1, 2**31 - 1, (n,), generator=generator)
    with torch.no_grad():
        images = render(truth, domain, size, seed=textures)
    result = fit(images, domain, head, settings)
    return FitError(domain, n, factor_errors(result, truth))


def factor_errors(result: Fit, truth: Tensor) -> tuple[FactorError, ...]:
    """R2 and mean absolute error of each factor, of the fit and of its first guess, given the truth ``[N, F]``."""
    columns = [c for guess in (result.factors, result.start) for c in (r2_score(guess, truth), (guess - truth).abs().mean(0))]
    return tuple(FactorError(name, *row) for name, row in zip(NAMES, torch.stack(columns, 1).tolist()))
