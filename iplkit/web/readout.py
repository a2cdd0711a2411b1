"""The numbers beside a picture: what its factors are now, and how far they have moved since the start.

Axis letters: N pictures, F factors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.features import judge_features
from iplkit.images import to_uint8
from iplkit.world.factors import indices

SMALL = 0.05  # a move below this is not worth a word


@dataclass(frozen=True)
class Readout:
    """Reads some factors from a picture.

    Args:
        names: which.
        read: pictures ``[N, 3, H, W]`` in about [-1, 1] -> their factors in [0, 1], ``[N, len(names)]``.
    """

    names: tuple[str, ...]
    read: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def values(self, image: Tensor) -> dict[str, float]:
        """The factors of one picture, ``[3, H, W]`` or ``[1, 3, H, W]``.

        Raises:
            UserError: if there is not one number a name.
        """
        found = self.read(image.reshape(1, *image.shape[-3:]))
        if found.shape != (1, len(self.names)):
            raise UserError(f"a readout of {len(self.names)} factors needs as many numbers a picture; got shape {tuple(found.shape)}")
        return dict(zip(self.names, found[0].tolist(), strict=True))

    def html(self, image: Tensor, start: dict[str, float]) -> str:
        """A small table for a notebook: name, bar, value, and the move since the start."""
        lines = []
        for name, value in self.values(image).items():
            bar = f'<meter min="0" max="1" value="{min(max(value, 0.0), 1.0):.3f}" style="width:7em"></meter>'
            move = value - start[name]
            cells = escape(name.replace("_", " ")), bar, f"{value:.2f}", _signed(move) if abs(move) >= SMALL else ""
            lines.append("<tr>" + "".join(f'<td style="padding:0 .5em">{cell}</td>' for cell in cells) + "</tr>")
        return f'<table style="font-size:.85em"><tr><th>factor</th><th></th><th>now</th><th>moved</th></tr>{"".join(lines)}</table>'

    def words(self, image: Tensor, start: dict[str, float], most: int = 3) -> str:
        """The largest moves in a line, largest first; "nothing moves" if there is none."""
        moves = {name: value - start[name] for name, value in self.values(image).items()}
        few = sorted((name for name in moves if abs(moves[name]) >= SMALL), key=lambda name: -abs(moves[name]))[:most]
        return ", ".join(f"{name.replace('_', ' ')} {_signed(moves[name])}" for name in few) or "nothing moves"


def judge_readout(judge: nn.Module, names: Sequence[str]) -> Readout:
    """The judge's estimates of some factors.

    Raises:
        UserError: if a factor is unknown.
    """
    columns = indices(names)
    return Readout(tuple(names), lambda images: judge_features(judge, to_uint8(images))["factors"][:, columns])


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
