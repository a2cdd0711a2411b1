"""The live controls in a notebook: widgets where a kernel runs, frames drawn before where a page is made."""

from functools import cached_property
from html import escape

import ipywidgets
import torch
from torch import Tensor, nn

from iplkit.edit.draw import draw
from iplkit.edit.edits import Edit
from iplkit.errors import UserError
from iplkit.filmstrip import Filmstrip, filmstrip
from iplkit.web.controls import Controls, Group, Knob
from iplkit.web.readout import Readout
from iplkit.widgets import png, slider

STRIP_BYTES = 500_000  # what a page may spend on frames that every reader gets


class Live:
    """Draws what the controls say.

    Args:
        controls: what can be moved.
        generator: the source generator.
        directions: one a name of ``controls.known.directions``, ``[len(directions), D]``.
        adapted: name -> adapted generator, for each of ``controls.domains``.
        readout: numbers to show beside the picture; None shows none.
    """

    def __init__(self, controls: Controls, generator: nn.Module, directions: Tensor, adapted: dict[str, nn.Module], readout: Readout | None = None):
        if len(directions) != len(controls.known.directions):
            raise UserError(f"live controls need one direction a name; got {len(directions)} for {', '.join(controls.known.directions)}")
        self.controls, self.source, self.adapted, self.readout = controls, generator, adapted, readout
        self.directions = dict(zip(controls.known.directions, directions, strict=True))

    def draw(self, edit: Edit) -> Tensor:
        """The picture of one setting, ``[1, 3, H, W]`` in about [-1, 1], with the stored noise."""
        return draw(edit, self.source, self.directions, self.adapted)

    @cached_property
    def start(self) -> dict[str, float]:
        """The factors of the first picture, from which moves are counted."""
        return self.readout.values(self.draw(self.controls.start()))

    def show(self, kernel: bool, alt: str, scale: int = 4) -> "Panel | LivePage":
        """The widgets if a kernel will run behind them, else what a page shows."""
        return Panel(self, scale) if kernel else self.page(alt, scale)

    def page(self, alt: str, scale: int = 4) -> "LivePage":
        """The same controls for a page without a kernel: their frames, and the place of the live model.

        Args:
            alt: one sentence for readers who cannot see the picture.
            scale: screen pixels a picture pixel, at each side.

        Raises:
            UserError: if the frames are larger than a page may be.
        """
        parts = {title: [(label, self.draw(edit)) for label, edit in frames] for title, frames in self.controls.strip().items()}
        if self.readout:
            parts = {title: [(f"{label}: {self.readout.words(x, self.start)}", x) for label, x in frames] for title, frames in parts.items()}
        return LivePage(filmstrip(parts, alt=alt, scale=scale), alt)


class Panel:
    """Widgets of all controls around one picture.

    `edit` is the setting they show; `set` shows another, for example one that `iplkit.edit.edits.read_edit` brought.
    """

    def __init__(self, live: Live, scale: int):
        self.live, self.controls, self.scale, self.quiet = live, live.controls, scale, False
        self.offsets, self.knobs, self.places = {}, {}, {}
        self.picture, self.numbers = ipywidgets.Image(format="png"), ipywidgets.HTML()
        groups = [self._group(group) for group in self.controls.panel]
        for knob in (*self.knobs.values(), *self.places.values()):
            knob.observe(self._show_direction if knob is self.knobs["direction"] else self._redraw, names="value")
        self.box = ipywidgets.HBox([ipywidgets.VBox([self.picture, self.numbers]), ipywidgets.VBox(groups)])
        self._redraw()

    def _repr_mimebundle_(self, **options) -> dict:
        return self.box._repr_mimebundle_(**options)

    @property
    def edit(self) -> Edit:
        """The setting that the widgets show."""
        numbers = {knob.name: self.knobs[knob.name].value for group in self.controls.panel for knob in group.knobs if knob.kind == "number"}
        return Edit(**numbers, domain=self.knobs["domain"].value, moves=self.controls.moves(self.offsets))

    def set(self, edit: Edit) -> None:
        """Show another setting.

        Raises:
            UserError: if a strength lies outside its slider.
        """
        self.offsets, self.quiet = self.controls.offsets(edit), True
        for name, knob in self.knobs.items():
            knob.value = getattr(edit, name) if name != "direction" else next(iter(self.offsets), self.controls.known.directions[0])
        self._show_strengths()
        self.quiet = False
        self._redraw()

    def _group(self, group: Group) -> ipywidgets.Widget:
        box = ipywidgets.VBox([self._widget(knob) for knob in group.knobs])
        if group.folded:
            return ipywidgets.Accordion([box], titles=(group.title,))
        return ipywidgets.VBox([ipywidgets.HTML(f"<b>{escape(group.title)}</b>"), box])

    def _widget(self, knob: Knob) -> ipywidgets.Widget:
        if knob.kind == "choice":
            options = {"domain": self._domains(), "direction": [(name.replace("_", " "), name) for name in self.controls.known.directions]}[knob.name]
            self.knobs[knob.name] = ipywidgets.Dropdown(options=options, description=knob.label, style={"description_width": "initial"})
            return self.knobs[knob.name]
        kept = self.places if knob.kind == "place" else self.knobs
        kept[knob.name] = slider(knob.label, self.controls.ranges["strength" if knob.kind == "place" else knob.name])
        return kept[knob.name]

    def _domains(self) -> list[tuple[str, str]]:
        return [(self.controls.source, ""), *((label, name) for name, label in self.controls.domains.items())]

    def _redraw(self, change=None) -> None:
        if self.quiet:
            return
        self.offsets[self.knobs["direction"].value] = {place: knob.value for place, knob in self.places.items() if knob.value}
        image = self.live.draw(self.edit)
        self.picture.value = png(image, self.scale)
        if self.live.readout:
            self.numbers.value = self.live.readout.html(image, self.live.start)

    def _show_direction(self, change) -> None:
        """Let the sliders show the strengths of the direction just chosen; the others keep theirs."""
        before, self.quiet = self.quiet, True
        self._show_strengths()
        self.quiet = before

    def _show_strengths(self) -> None:
        kept = self.offsets.get(self.knobs["direction"].value, {})
        for place, knob in self.places.items():
            knob.value = kept.get(place, 0)


class LivePage:
    """Frames with a slider, and the place where the page's script offers the live model.

    Without scripts the frames stand side by side. They are part of the page, so they work from a file.
    """

    def __init__(self, strip: Filmstrip, alt: str):
        self.strip, self.alt = strip, alt
        if (size := len(strip._repr_html_())) > STRIP_BYTES:
            raise UserError(f"the frames of the live page may have {STRIP_BYTES / 1e6:g} MB; they have {size / 1e6:.2f} MB, so give the sliders fewer stops")

    def __repr__(self) -> str:
        return f"the live page, with {self.strip!r}"

    def _repr_png_(self) -> bytes:
        return self.strip._repr_png_()

    def _repr_html_(self) -> str:
        side = self.strip.first.shape[1]
        return (
            f'<div class="live" data-side="{side}" data-alt="{escape(self.alt, quote=True)}"><div class="live-strip">{self.strip._repr_html_()}</div>'
            '<p class="live-offer" hidden></p>'
            "<noscript><p>Scripts are not allowed here, so the frames stand side by side; the text needs no more.</p></noscript></div>"
        )
