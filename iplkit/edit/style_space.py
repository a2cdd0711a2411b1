"""S as one table of numbers: which column of it is which channel of which layer.

S holds the scale of every input channel of every layer. Laid side by side in the order in which the data flows, the styles
of N pictures are a tensor ``[N, C]``. ToRGB's channels lie between the convolutions', as the layers do.

Axis letters: N pictures, C channels of S, K of them that are convolutions' (the ones a text may move).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.stylegan2.generator import GeneratorConfig
from iplkit.stylegan2.styles import layer_names


@dataclass(frozen=True)
class StyleSpace:
    """The layers of S with their widths, in order.

    Args:
        layers: names, as `iplkit.stylegan2.styles.layer_names` gives them.
        widths: channels of each.
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def channels(self) -> int:
        """C, of all layers together."""
        return sum(self.widths)

    @cached_property
    def convolutions(self) -> Tensor:
        """Columns that belong to convolutions, ``[K]``: all but ToRGB's."""
        told = [torch.full((width,), not name.startswith("rgb")) for name, width in zip(self.layers, self.widths, strict=True)]
        return torch.cat(told).nonzero()[:, 0]

    def columns(self, layer: str) -> slice:
        """The columns of one layer.

        Raises:
            UserError: if there is no such layer.
        """
        if layer not in self.layers:
            raise UserError(f"a layer is one of {', '.join(self.layers)}; got {layer!r}")
        place = self.layers.index(layer)
        first = sum(self.widths[:place])
        return slice(first, first + self.widths[place])

    def flat(self, styles: Mapping[str, Tensor]) -> Tensor:
        """Styles by layer as one table, name -> ``[N, c]`` -> ``[N, C]``."""
        if tuple(styles) != self.layers:
            raise UserError(f"styles need the layers {', '.join(self.layers)}; got {', '.join(styles)}")
        return torch.cat(list(styles.values()), dim=1)

    def named(self, table: Tensor) -> dict[str, Tensor]:
        """The other way, ``[N, C]`` -> name -> ``[N, c]``.

        Raises:
            UserError: if the table has another width.
        """
        if table.ndim != 2 or table.shape[1] != self.channels:
            raise UserError(f"this S has {self.channels} channels; got a table of shape {tuple(table.shape)}")
        return dict(zip(self.layers, table.split(self.widths, dim=1), strict=True))


def style_space(config: GeneratorConfig) -> StyleSpace:
    """The S of a generator of these sizes; no weights are needed.

    A convolution that doubles the size reads the channels of the size below.
    """
    layers, widths = layer_names(config.num_ws), []
    for name in layers:
        size = int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
        widths.append(config.channels[size.bit_length() - 3 - name.startswith("up")])
    return StyleSpace(layers, tuple(widths))
