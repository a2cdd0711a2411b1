"""One door to every way from a picture to a latent."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.invert.result import Inversion

METHODS = ("optimize", "project", "encode", "encode+refine")
SPACES = ("z", "w", "w+", "s")


def invert(
    images: Tensor,
    generator: nn.Module,
    method: str = "encode+refine",
    *,
    space: str = "w+",
    steps: int | None = None,
    passes: int = 5,
    seed: int = 0,
    start: str | Tensor = "mean",
    encoder: Callable[[Tensor], Tensor] | nn.Module | None = None,
    perceptual: nn.Module | None = None,
    resume_dir: Path | None = None,
    progress: bool = True,
) -> Inversion:
    """Find codes that draw some pictures.

    Args:
        images: aligned pictures at the generator's size, ``[N, 3, S, S]`` in [-1, 1].
        generator: frozen; its weights are not touched.
        method: "optimize" (Image2StyleGAN), "project" (StyleGAN2's projector), "encode" (some passes of an encoder),
            or "encode+refine" (the encoder's code is the start of an optimisation).
        space: "z", "w", "w+" or "s"; an encoder gives "w+", and refinement starts from it in "w+" or "s".
        steps: of the optimisation; None takes the method's own number (500, 1000, -, 100).
        passes: of the encoder.
        seed: of every draw (a uniform start, the projector's noise); the same seed gives the same codes.
        start: "mean", "zeros", "uniform", or ws ``[N, R, D]`` to begin with.
        encoder: the world's (None loads it from the zoo), or any function of images that gives ws ``[N, R, D]``.
        perceptual: features of the perceptual term; None takes the shipped critic's layers.
        resume_dir: folder for checkpoints; a killed run goes on from there, and ends in the same bytes.
        progress: show a bar with the time left.

    Returns:
        An `Inversion`.

    Raises:
        UserError: unknown method, space or start; images of another shape, size or range; an encoder whose codes do
            not fit the generator.
    """
    raise UserError("this build has no inversion yet")
