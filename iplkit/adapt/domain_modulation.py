"""Domain modulation: one factor a channel, on top of the styles, is all that a domain may change."""

import torch
from torch import Tensor, nn

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import averaged_direction
from iplkit.adapt.loop import Plugs
from iplkit.adapt.selectors import Selector
from iplkit.adapt.task import Recipe, Task


class Modulated(nn.Module):
    """An affine layer whose styles are multiplied by learned factors, 1 at the start."""

    def __init__(self, affine: nn.Module):
        super().__init__()
        self.affine = affine
        self.factor = nn.Parameter(torch.ones_like(affine.bias))  # [C]

    def forward(self, w: Tensor) -> Tensor:
        """Styles `[N, D]` -> `[N, C]`."""
        return self.affine(w) * self.factor


def domain_modulation(task: Task) -> Recipe:
    """Train a factor for each input channel of the convolutions (Alanov et al. 2022, "HyperDomainNet"; arXiv 2210.08884).

    The paper's section on domain modulation: the kernel ``k`` becomes ``d * s * k``, with d of the domain
    and s of the image, before demodulation. That is d on the styles: about 6000 numbers at 1024 px.
    The result is an ordinary generator, because d is multiplied into the affine layers at the end.
    """
    return Recipe(
        Plugs(
            direction=averaged_direction(task.clip, task.source, task.target, task.templates),
            anchor=source_anchor(task),
            selector=Selector(every=0, choose=lambda generator, step: tuple(range(generator.num_ws)), parameters=factors),
            prepare=modulate,
            finish=fold,
        )
    )


def convolutions(generator: nn.Module) -> list[nn.Module]:
    """The layers that are modulated: all but ToRGB."""
    return [layer for name, layer in generator.synthesis.layers.items() if not name.startswith("rgb")]


def factors(generator: nn.Module, rows: tuple[int, ...]) -> list[nn.Parameter]:
    """What is trained; the rows do not matter."""
    return [layer.affine.factor for layer in convolutions(generator)]


def modulate(generator: nn.Module) -> None:
    """Put factors on the styles, in place; the images stay as they are."""
    for layer in convolutions(generator):
        layer.affine = Modulated(layer.affine)


@torch.no_grad()
def fold(generator: nn.Module) -> None:
    """Multiply the factors into the affine layers, in place, and leave an ordinary generator."""
    for layer in convolutions(generator):
        affine, factor = layer.affine.affine, layer.affine.factor
        affine.weight.mul_(factor[:, None])
        affine.bias.mul_(factor)
        layer.affine = affine
