"""SIFID: Frechet distance between two single images, each a cloud of its own places.

Shaham et al. 2019, "SinGAN: Learning a Generative Model from a Single Natural Image", Sec. 3. A sample is one
position of a feature map, so an image of h x w positions is a set of h w samples. Four definitions are in use; the two
here take torchvision's Inception and no resize:

    sifid64   the 64 channels before the first pooling, SinGAN's code and AIR's
    sifid192  the 192 channels before the second pooling, SinGAN's paper

Where no pair exists, every reference is compared with every generated image (IPL, AIR). The number of positions moves
the value, so all images need one size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.metrics.score import Score


@dataclass(frozen=True)
class MapMoments:
    """What SIFID needs of each image, float64; of references it is worth keeping.

    Args:
        mean: ``[B, C]`` over the positions.
        covariance: ``[B, C, C]``, unbiased.
        positions: samples of each image.
    """

    mean: Tensor
    covariance: Tensor
    positions: int

    def root(self) -> Tensor:
        """Symmetric roots of the covariances, ``[B, C, C]``; eigenvalues below rounding count 0."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return vectors * values.clamp(min=0).sqrt()[:, None, :] @ vectors.mT


def map_moments(maps: Tensor) -> MapMoments:
    """Moments over the positions of each feature map.

    Args:
        maps: ``[B, C, h, w]``.

    Raises:
        UserError: wrong shape, not finite, or not more positions than channels.
    """
    if maps.ndim != 4 or len(maps) == 0:
        raise UserError(f"SIFID needs feature maps [N, C, h, w]; got {tuple(maps.shape)}")
    if not bool(maps.isfinite().all()):
        raise UserError("SIFID needs finite feature maps; some values are not")
    channels, positions = maps.shape[1], maps.shape[2] * maps.shape[3]
    if positions <= channels:
        raise UserError(f"SIFID of {channels} channels needs more than {channels} positions; a map has {positions}; use larger images")
    rows = maps.double().flatten(2)  # [B, C, P]
    mean = rows.mean(dim=2)
    centered = rows - mean[:, :, None]
    return MapMoments(mean, centered @ centered.mT / (positions - 1), positions)


def sifid_pairs(references: MapMoments, generated: MapMoments, chunk: int = 32) -> Tensor:
    """Distance of every reference to every generated image.

    Args:
        references: R images.
        generated: N images of the same number of channels.
        chunk: generated images at once.

    Returns:
        ``[R, N]`` float64.

    Raises:
        UserError: other channels, or images of another size.
    """
    if references.mean.shape[1] != generated.mean.shape[1] or references.positions != generated.positions:
        shapes = [f"{x.mean.shape[1]} channels at {x.positions} positions" for x in (references, generated)]
        raise UserError(f"SIFID needs references and generated images of one size; got {shapes[0]} and {shapes[1]}")
    shift = (references.mean[:, None] - generated.mean).square().sum(dim=2)  # [R, N]
    traces = [x.covariance.diagonal(dim1=1, dim2=2).sum(dim=1) for x in (references, generated)]
    rows = []
    for root in references.root():
        parts = [torch.linalg.eigvalsh(root @ part @ root).clamp(min=0).sqrt().sum(dim=1) for part in generated.covariance.split(chunk)]
        rows.append(torch.cat(parts))
    return shift + traces[0][:, None] + traces[1] - 2 * torch.stack(rows)


def sifid_score(pairs: Tensor, name: str = "SIFID", **settings) -> Score:
    """Mean over all pairs, which may have been collected batch by batch.

    Args:
        pairs: distances, ``[R, N]`` of R references and N generated images.
        name: of the score.
        settings: what else moved the number.

    Returns:
        `Score`. Its spread is the standard error over the generated images, each averaged over the references; settings
        also get "per_reference", R means.

    Raises:
        UserError: no pair, or a distance that is not finite.
    """
    if pairs.ndim != 2 or pairs.numel() == 0 or not bool(pairs.isfinite().all()):
        raise UserError(f"SIFID needs finite distances [R, N] of at least one pair; got {tuple(pairs.shape)}")
    each = pairs.mean(dim=0)
    error = each.std().item() / len(each) ** 0.5 if len(each) > 1 else None
    settings["per_reference"] = pairs.mean(dim=1).tolist()
    return Score(name, pairs.mean().item(), error, len(pairs), len(each), settings, protocol="every reference with every generated image")


def _named(references: Tensor | MapMoments, generated: Tensor | MapMoments, name: str, channels: int, layer: str) -> Score:
    sets = [x if isinstance(x, MapMoments) else map_moments(x) for x in (references, generated)]
    found = [x.mean.shape[1] for x in sets]
    if found != [channels, channels]:
        raise UserError(f"{name} needs maps of {channels} channels ({layer}); got {found[0]} and {found[1]}")
    return sifid_score(sifid_pairs(*sets), name, layer=layer, positions=sets[0].positions)


def sifid64(references: Tensor | MapMoments, generated: Tensor | MapMoments) -> Score:
    """SIFID of SinGAN's code: 64 channels, the output of Conv2d_2b_3x3.

    Args:
        references: feature maps ``[R, 64, h, w]``, or their moments.
        generated: feature maps ``[N, 64, h, w]``, or their moments.

    Raises:
        UserError: other channels, sizes that differ, too few positions.
    """
    return _named(references, generated, "sifid64", 64, "Conv2d_2b_3x3, before the first pooling")


def sifid192(references: Tensor | MapMoments, generated: Tensor | MapMoments) -> Score:
    """SIFID of SinGAN's paper: 192 channels, the output of Conv2d_4a_3x3. Arguments as in `sifid64`."""
    return _named(references, generated, "sifid192", 192, "Conv2d_4a_3x3, before the second pooling")
