"""Pictures that belong to no domain: noise, heavy blur, shuffled squares, patchworks; and halves of styles under smooth masks."""

import torch
import torch.nn.functional as F
from torch import Tensor


def noise(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Random colors of random coarseness, ``[n, 3, size, size]`` in [-1, 1]."""
    out = torch.empty(n, 3, size, size)
    for row in out:
        side = size >> int(torch.randint(0, 4, (), generator=generator))
        drawn = torch.randn(1, 3, side, side, generator=generator) * float(0.3 + 0.6 * torch.rand((), generator=generator))
        drawn = drawn + 0.5 * torch.randn(1, 3, 1, 1, generator=generator)
        row.copy_(F.interpolate(drawn, (size, size), mode="bilinear", align_corners=False)[0])
    return out.clamp(-1, 1)


def blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Reduce each picture to 3 to 7 pixels a side and enlarge it again."""
    out = torch.empty_like(images)
    for row, image in zip(out, images):
        side = int(torch.randint(3, 8, (), generator=generator))
        small = F.adaptive_avg_pool2d(image[None], side)
        row.copy_(F.interpolate(small, image.shape[-2:], mode="bicubic", align_corners=False)[0])
    return out.clamp(-1, 1)


def _squares(size: int, generator: torch.Generator) -> int:
    return size // (4, 8)[int(torch.randint(0, 2, (), generator=generator))]


def scramble(images: Tensor, generator: torch.Generator) -> Tensor:
    """Cut each picture into 4 x 4 or 8 x 8 squares and shuffle them."""
    size, out = images.shape[-1], torch.empty_like(images)
    for row, image in zip(out, images):
        side = _squares(size, generator)
        columns = F.unfold(image[None], side, stride=side)
        order = torch.randperm(columns.shape[-1], generator=generator)
        row.copy_(F.fold(columns[..., order], (size, size), side, stride=side)[0])
    return out


def patchwork(first: Tensor, second: Tensor, generator: torch.Generator) -> Tensor:
    """Take each square of a picture from one of two pictures, about half from each."""
    size, out = first.shape[-1], torch.empty_like(first)
    for row, a, b in zip(out, first, second):
        cells = size // _squares(size, generator)
        mask = torch.randperm(cells * cells, generator=generator).view(1, cells, cells) % 2 == 0
        mask = mask.repeat_interleave(size // cells, 1).repeat_interleave(size // cells, 2)
        row.copy_(torch.where(mask, a, b))
    return out


def smooth_mask(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Soft masks with one or a few patches, ``[n, 1, size, size]`` in [0, 1]; their means are spread over (0, 1)."""
    field = F.interpolate(torch.randn(n, 1, 4, 4, generator=generator), (size, size), mode="bicubic", align_corners=False)
    level = torch.rand(n, generator=generator) * 0.9 + 0.05
    cut = torch.stack([f.flatten().quantile(q) for f, q in zip(field, level)])
    return torch.sigmoid((field - cut.view(-1, 1, 1, 1)) * 8)
