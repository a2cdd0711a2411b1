"""Defects: a hole, grain, blur. Does the picture that is found keep them, or mend them?

Abdal et al. 2019, Sec. 4.1, Fig. 4: defects are kept, so no inpainting, and one region can be changed without the others. Here the
clean picture is known, so it can be asked where the defect is which of the two the found picture is nearer to.
"""

import torch
from torch import Tensor

from iplkit.adapt.draws import draw
from iplkit.findings import Finding
from iplkit.images import from_uint8, to_uint8
from iplkit.invert.plus import PlusSettings, plus
from iplkit.invert.result import join
from iplkit.invert.studies.lab import BATCH, Lab, interval
from iplkit.world.shading import blur

HOLE = (0.42, 0.40, 0.34, 0.22)  # left, top, width and height in sides: one eye and its brow
GRAIN = 0.3  # standard deviation, of [-1, 1]
SOFT = 1 / 32  # standard deviation of the blur, in sides
DEFECTS = ("hole", "grain", "blur")


def hole_mask(size: int) -> Tensor:
    """1 where the hole is, ``[1, 1, size, size]``."""
    left, top, width, height = (round(v * size) for v in HOLE)
    mask = torch.zeros(1, 1, size, size)
    mask[..., top : top + height, left : left + width] = 1
    return mask


def damaged(images: Tensor, defect: str, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures with a defect at 8 bits, and where it is ``[1, 1, S, S]``."""
    size = images.shape[-1]
    everywhere = torch.ones(1, 1, size, size)
    if defect == "hole":
        mask = hole_mask(size)
        return images * (1 - mask) - mask, mask
    if defect == "grain":
        noise = [torch.randn(3, size, size, generator=draw(seed, "grain", i)) for i in range(len(images))]
        return from_uint8(to_uint8(images + GRAIN * torch.stack(noise))), everywhere
    return from_uint8(to_uint8(blur(images, SOFT * size))), everywhere


def kept_share(found: Tensor, broken: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Where the found picture lies between the clean one (0) and the broken one (1), inside the mask, ``[N]``.

    The foot of the perpendicular from the found picture onto the line through both.
    """
    way = mask * (broken - clean)
    return (mask * (found - clean) * way).sum((1, 2, 3)) / way.square().sum((1, 2, 3)).clamp_min(1e-8)


def defects(lab: Lab) -> Finding:
    """Each defect in W, in W+, through the encoder, and for the hole in W+ that is not asked what lies in it."""
    clean = lab.portraits("defects")
    rows, shown = [], {"clean": clean[:6]}
    for defect in DEFECTS:
        broken, mask = damaged(clean, defect, lab.seed)
        made = {"W+": lab.find(broken).images, "W": lab.find(broken, "w").images, "encoder": lab.draw(lab.encode(broken))}
        made |= {"encoder, in W": lab.draw(lab.encode(broken, reach=0.0))}
        if defect == "hole":
            made["W+, hole not asked"] = unasked(lab, broken, 1 - mask)
            made["W, hole not asked"] = unasked(lab, broken, 1 - mask, "w")
        shown[defect] = broken[:6]
        for way, images in made.items():
            row = {"defect": defect, "way": way, "kept": interval(kept_share(images, broken, clean, mask))}
            rows.append(row | {"dB to clean": interval(inside_db(images, clean, mask)), "dB to broken": interval(inside_db(images, broken, mask))})
            shown[f"{defect}, {way}"] = images[:6]
    return Finding("defects", rows, lab.about | {"grain": GRAIN, "blur": SOFT, "hole": HOLE}, shown)


def unasked(lab: Lab, images: Tensor, mask: Tensor, space: str = "w+") -> Tensor:
    """Image2StyleGAN++ without noise maps: only what the mask shows is asked for."""
    schedule = lab.settings().schedule
    settings = PlusSettings(code=schedule, noise=type(schedule)(0, 0.01))
    parts = [plus(part, lab.generator, lab.perceptual, mask=mask, space=space, settings=settings) for part in images.split(BATCH)]
    return join(parts).images


def inside_db(images: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """PSNR inside a mask, ``[N]``, dB."""
    square = (mask * ((images.clamp(-1, 1) - other) / 2).square()).sum((1, 2, 3)) / (mask.sum() * images.shape[1])
    return -10 * square.double().log10()
