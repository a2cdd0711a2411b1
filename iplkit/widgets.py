"""Sliders that redraw a picture: widgets where a kernel runs, frames drawn before where none does; one definition for both."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import ipywidgets
from torch import Tensor

from iplkit.errors import UserError
from iplkit.filmstrip import Filmstrip, filmstrip
from iplkit.images import to_pil
from iplkit.web.controls import Range
from iplkit.web.readout import Readout


@dataclass(frozen=True)
class Sliders:
    """One slider a name, and the picture that belongs to their values; `sliders` makes it."""

    draw: Callable[[dict[str, float]], Tensor]
    names: tuple[str, ...]
    span: Range
    alt: str
    scale: int
    readout: Readout | None = None

    def show(self, kernel: bool) -> "ipywidgets.VBox | Filmstrip":
        """The widgets if a kernel will run behind them, else the frames."""
        return self.widget() if kernel else self.strip()

    def widget(self) -> ipywidgets.VBox:
        """A box that a notebook shows; its last child is the picture, with the numbers before it."""
        knobs = {name: slider(name, self.span) for name in self.names}
        picture, numbers = ipywidgets.Image(format="png"), [ipywidgets.HTML()] if self.readout else []

        def redraw(change=None) -> None:
            image = self.draw({name: knob.value for name, knob in knobs.items()})
            picture.value = png(image, self.scale)
            for box in numbers:
                box.value = self.readout.html(image, self.start)

        for knob in knobs.values():
            knob.observe(redraw, names="value")
        redraw()
        return ipywidgets.VBox([*knobs.values(), *numbers, picture])

    @cached_property
    def start(self) -> dict[str, float]:
        """The factors of the picture at the start."""
        return self.readout.values(self.draw(dict.fromkeys(self.names, self.span.start)))

    def strip(self) -> Filmstrip:
        """Frames of one slider at a time at its stops, the others at the start."""
        start, values = dict.fromkeys(self.names, self.span.start), sorted({*self.span.stops, self.span.start})
        frames = {name: [self._frame(name, value, self.draw(start | {name: value})) for value in values] for name in self.names}
        return filmstrip(frames, alt=self.alt, scale=self.scale, start=frames[self.names[0]][values.index(self.span.start)][0])

    def _frame(self, name: str, value: float, image: Tensor) -> tuple[str, Tensor]:
        """A picture with its label, and what has moved."""
        label = _label(name, value)
        return (f"{label}: {self.readout.words(image, self.start)}" if self.readout else label), image


def sliders(
    draw: Callable[[dict[str, float]], Tensor], names: Sequence[str], *,
    low: float = -2.0, high: float = 2.0, step: float = 0.25, stops: Sequence[float] = (), alt: str = "", scale: int = 4,
    readout: Readout | None = None,
) -> Sliders:  # fmt: skip
    """Define one slider a name.

    Args:
        draw: values by name -> one picture, ``[1, 3, H, W]`` or ``[3, H, W]`` in [-1, 1].
        names: what the sliders are called, each once.
        low, high, step: their range; they start at 0, or at the nearest end.
        stops: values of the frames for a page without a kernel; both ends if none is given.
        alt: one sentence for readers who cannot see the picture.
        scale: each picture pixel becomes a block of this many screen pixels, at each side.
        readout: numbers to show beside the picture; None shows none.

    Raises:
        UserError: if there is no name, a name comes twice, the range is empty, or a stop lies outside.
    """
    if not names or len(set(names)) < len(names):
        raise UserError(f"sliders need names, each once; got {list(names)}")
    if not low < high or step <= 0:
        raise UserError(f"sliders need low < high and a step above 0; got low {low}, high {high}, step {step}")
    if outside := [stop for stop in stops if not low <= stop <= high]:
        raise UserError(f"stops must lie in {low:g} to {high:g}; got {outside}")
    return Sliders(draw, tuple(names), Range(low, high, step, min(max(0.0, low), high), tuple(stops) or (low, high)), alt, scale, readout)


def slider(name: str, span: Range) -> ipywidgets.Widget:
    """One widget for one range, as wide as its name needs."""
    kind = ipywidgets.IntSlider if span.step == 1 else ipywidgets.FloatSlider
    return kind(
        value=span.start, min=span.low, max=span.high, step=span.step, description=name, continuous_update=True,
        style={"description_width": "initial"},
    )  # fmt: skip


def png(image: Tensor, scale: int = 1) -> bytes:
    """One picture as a PNG file, each pixel a block of `scale` pixels, none resampled."""
    picture, file = to_pil(image), io.BytesIO()
    picture.resize((picture.width * scale, picture.height * scale), resample=0).save(file, "PNG")
    return file.getvalue()


def _label(name: str, value: float) -> str:
    return f"{name} {value:+g}".replace("-", "\N{MINUS SIGN}") if value else f"{name} 0"
