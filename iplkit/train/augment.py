"""Small disturbances of training pictures. Every draw takes a generator; no picture is mirrored, for yaw and light have sides."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _uniform(n: int, low: float, high: float, generator: torch.Generator, like: Tensor) -> Tensor:
    return (low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)).to(like)


def move(images: Tensor, generator: torch.Generator, shift: float = 0.04, zoom: float = 0.0) -> Tensor:
    """Shift each picture by up to `shift` of its side, and zoom in or out by up to `zoom`; edges are mirrored."""
    n = len(images)
    scale = 1 + zoom * (2 * torch.rand(n, generator=generator) - 1)
    offset = 2 * shift * (2 * torch.rand(n, 2, generator=generator) - 1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def crop(images: Tensor, generator: torch.Generator, smallest: float = 0.7) -> Tensor:
    """Keep a random square of each picture, of `smallest` to 1 of its side, at the old size."""
    n = len(images)
    scale = smallest + (1 - smallest) * torch.rand(n, generator=generator)
    offset = (2 * torch.rand(n, 2, generator=generator) - 1) * (1 - scale)[:, None]
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def grain(images: Tensor, generator: torch.Generator, most: float = 0.08) -> Tensor:
    """Add noise of a strength between 0 and `most`, one strength a picture."""
    noise = torch.randn(images.shape, generator=generator).to(images)
    return images + noise * _uniform(len(images), 0, most, generator, images)


def soften(images: Tensor, generator: torch.Generator, share: float = 0.3) -> Tensor:
    """Blur some pictures a little: a mean of each pixel and its neighbors, of random weight."""
    weight = _uniform(len(images), 0, 1, generator, images) * (_uniform(len(images), 0, 1, generator, images) < share)
    mean = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return images + weight * (mean - images)


def tint(images: Tensor, generator: torch.Generator, most: float = 0.06) -> Tensor:
    """Change brightness and contrast a little."""
    n = len(images)
    return images * (1 + _uniform(n, -most, most, generator, images)) + _uniform(n, -most, most, generator, images)


def cover(images: Tensor, generator: torch.Generator, share: float = 0.3, side: float = 0.25) -> Tensor:
    """Hide a square of some pictures behind its own mean color."""
    n, _, height, width = images.shape
    at = torch.rand(n, 2, generator=generator) * (1 - side)
    chosen = torch.rand(n, generator=generator) < share
    ys, xs = torch.arange(height).view(1, -1, 1) / height, torch.arange(width).view(1, 1, -1) / width
    y, x = at[:, 0].view(-1, 1, 1), at[:, 1].view(-1, 1, 1)
    mask = (ys >= y) & (ys < y + side) & (xs >= x) & (xs < x + side) & chosen.view(-1, 1, 1)
    mean = images.mean(dim=(2, 3), keepdim=True)
    return torch.where(mask[:, None].to(images.device), mean, images)
