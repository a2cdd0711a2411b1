"""Compare two folders of pictures with the judge's features."""

from pathlib import Path

import torch
from torch import Tensor

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.features import judge_features
from iplkit.images import read_image
from iplkit.metrics.frechet import fid
from iplkit.metrics.inception_score import inception_score
from iplkit.metrics.kernel import kid
from iplkit.metrics.score import Score

ENDINGS = {".png", ".jpg", ".jpeg", ".webp"}


def read_folder(folder: Path) -> Tensor:
    """All pictures of a folder in the order of their names, ``[N, 3, H, W]`` in [-1, 1].

    Raises:
        UserError: if there are fewer than two, or they differ in size.
    """
    files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in ENDINGS)
    if len(files) < 2:
        raise UserError(f"evaluate needs at least two pictures in {folder}; there are {len(files)}")
    images = [read_image(path) for path in files]
    odd = next((path for path, image in zip(files, images, strict=True) if image.shape != images[0].shape), None)
    if odd is not None:
        raise UserError(f"evaluate needs pictures of one size in {folder}; {odd.name} differs from {files[0].name}")
    return torch.cat(images)


def compare_folders(real: Path, fake: Path, judge: torch.nn.Module | None = None) -> list[Score]:
    """FID, KID and inception score of `fake` against `real`.

    Args:
        real: folder of true pictures.
        fake: folder of pictures to judge.
        judge: whose features; None takes the shipped judge.
    """
    judge = judge or zoo.load("judge")
    a, b = (judge_features(judge, read_folder(folder)) for folder in (real, fake))
    return [fid(a["pool"], b["pool"]), kid(a["pool"], b["pool"]), inception_score(b["kinds_probs"], splits=min(10, len(b["kinds_probs"])))]
