"""The only file that knows pixel ranges: images are float ``[N, 3, H, W]`` in [-1, 1] everywhere else."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from iplkit.errors import UserError
from iplkit.weights import atomic_path


def to_uint8(images: Tensor) -> Tensor:
    """Round to bytes, ``[N, 3, H, W]`` in [-1, 1] -> the same shape, uint8; values outside are clamped.

    Raises:
        UserError: if a value is not a number.
    """
    if not bool(images.isfinite().all()):
        raise UserError("images need finite values; some are NaN or infinite")
    return ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_uint8(images: Tensor) -> Tensor:
    """Bytes to float, uint8 ``[..., H, W]`` -> the same shape in [-1, 1]; `to_uint8` brings every byte back."""
    if images.dtype != torch.uint8:
        raise UserError(f"from_uint8 needs uint8 images; got {images.dtype}")
    return images.float() / 127.5 - 1


def to_pil(image: Tensor) -> Image.Image:
    """One image, ``[3, H, W]`` or ``[1, 3, H, W]`` in [-1, 1], for PIL."""
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        raise UserError(f"to_pil needs one image, [3, H, W] or [1, 3, H, W]; got {tuple(image.shape)}")
    return Image.fromarray(np.ascontiguousarray(to_uint8(image).permute(1, 2, 0).cpu().numpy()))


def from_pil(image: Image.Image) -> Tensor:
    """A picture from PIL, turned as its camera held it, without transparency -> ``[1, 3, H, W]`` in [-1, 1]."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    return from_uint8(torch.from_numpy(np.array(upright)).permute(2, 0, 1)[None]).contiguous()


def read_image(path: str | Path) -> Tensor:
    """A picture file, ``[1, 3, H, W]`` in [-1, 1].

    Raises:
        UserError: if there is no such file, or it is no picture.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"read_image needs an existing picture; there is none at {path}")
    try:
        with Image.open(path) as image:
            return from_pil(image)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"read_image needs a whole picture file; {path} is not one ({error})") from error


def write_image(path: str | Path, image: Tensor) -> None:
    """Write one image, ``[3, H, W]`` or ``[1, 3, H, W]`` in [-1, 1]; the ending of `path` decides the format."""
    with atomic_path(path) as temporary:
        to_pil(image).save(temporary)


def resize(images: Tensor, size: int | tuple[int, int], antialias: bool = True, *, mode: str = "bicubic") -> Tensor:
    """Change the size, ``[N, C, H, W]`` -> ``[N, C, size, size]``.

    Args:
        images: any range; bicubic can overshoot it a little, and nothing is clamped.
        size: side, or (height, width), pixels.
        antialias: filter before shrinking. Without it, details fold into false patterns ("legacy" in older code).
        mode: "bicubic", "bilinear", or "area" (plain averages; always free of aliases when shrinking).
    """
    size = (size, size) if isinstance(size, int) else tuple(size)
    if mode not in ("bicubic", "bilinear", "area"):
        raise UserError(f"mode must be one of area, bicubic, bilinear; got {mode!r}")
    if images.shape[-2:] == size:
        return images
    if mode == "area":
        return F.interpolate(images, size=size, mode="area")
    return F.interpolate(images, size=size, mode=mode, antialias=antialias, align_corners=False)


def grid(images: Tensor, columns: int, gap: int = 2, fill: float = 1.0) -> Tensor:
    """Many images on one sheet, row by row, ``[N, 3, H, W]`` -> ``[1, 3, H', W']``.

    Args:
        images: ``[N, 3, H, W]``.
        columns: images a row; the last row may be shorter.
        gap: pixels between neighbors.
        fill: value of gaps and of empty places.
    """
    if images.ndim != 4 or len(images) == 0 or columns < 1:
        raise UserError(f"grid needs images [N, 3, H, W] and at least one column; got {tuple(images.shape)}, {columns}")
    n, c, h, w = images.shape
    rows = -(-n // columns)
    sheet = images.new_full((1, c, rows * (h + gap) - gap, columns * (w + gap) - gap), fill)
    for index, image in enumerate(images):
        top, left = index // columns * (h + gap), index % columns * (w + gap)
        sheet[0, :, top : top + h, left : left + w] = image
    return sheet
