"""Random views of an image: shifted, scaled, lightly noisy.

A small CLIP is easily satisfied by a pattern tied to exact pixels. A pattern that must survive a
shift and a change of scale has to look like the style.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def random_views(
    images: Tensor, count: int, generator: torch.Generator, *, scale: float = 0.25, shift: float = 0.1, noise: float = 0.02
) -> Tensor:
    """Several random crops of each image, resampled to its size.

    The draw depends on the shape of `images` and on `generator` only. Call it with two generators
    of one seed, and source and target are seen through the same windows.

    Args:
        images: `[N, 3, H, W]` in [-1, 1].
        count: views per image; 0 returns the images as they are.
        generator: where the windows and the noise come from.
        scale: a window's side lies between 1 - scale and 1 + scale of the image's side.
        shift: largest shift of its center, share of the image's side. What lies outside is filled by the border.
        noise: standard deviation of white noise, in units of [-1, 1].

    Returns:
        `[N * count, 3, H, W]`; the views of one image follow each other.
    """
    if count == 0:
        return images
    images = images.repeat_interleave(count, dim=0)
    n, device = len(images), generator.device
    side = 1 + scale * (2 * torch.rand(n, generator=generator, device=device) - 1)
    center = 2 * shift * (2 * torch.rand(n, 2, generator=generator, device=device) - 1)  # the side is 2 in these units
    affine = torch.zeros(n, 2, 3, device=device)
    affine[:, 0, 0] = affine[:, 1, 1] = side
    affine[:, :, 2] = center
    grid = F.affine_grid(affine.to(images), list(images.shape), align_corners=False)
    views = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if noise:
        views = views + noise * torch.randn(views.shape, generator=generator, device=device).to(views)
    return views
