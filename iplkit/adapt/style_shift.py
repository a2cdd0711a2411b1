"""StyleSpace shift: one vector added to the styles of every image, and nothing else moves."""

from torch import nn

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import averaged_direction
from iplkit.adapt.loop import Plugs
from iplkit.adapt.selectors import Selector
from iplkit.adapt.task import Recipe, Task


def style_shift(task: Task) -> Recipe:
    """A direction in S that brings a near domain (Alanov et al. 2023, "StyleDomain", Sec. 4; arXiv 2212.10229), found with NADA's loss.

    A style is ``affine(w)``, so adding a vector to S is adding it to the bias of the affine layers: one
    number a channel, 9088 at 1024 px. The difference of two generators is the shift itself, and shifts add.
    """
    return Recipe(
        Plugs(
            direction=averaged_direction(task.clip, task.source, task.target, task.templates),
            anchor=source_anchor(task),
            selector=Selector(every=0, choose=lambda generator, step: tuple(range(generator.num_ws)), parameters=style_biases),
        )
    )


def style_biases(generator: nn.Module, rows: tuple[int, ...]) -> list[nn.Parameter]:
    """The biases that shift S, of the layers that the rows drive; ToRGB layers included."""
    synthesis = generator.synthesis
    return [synthesis.layers[name].affine.bias for name, row in synthesis.rows.items() if row in rows]
