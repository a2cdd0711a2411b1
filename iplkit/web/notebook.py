"""The live controls in a notebook: widgets where a kernel runs, frames drawn before where a page is made."""

from html import escape

import ipywidgets
import torch
from torch import Tensor, nn

from iplkit.plotting import filmstrip
from iplkit.web.controls import KIND, Controls, Edit, Range, blended, edited_ws
from iplkit.web.export import latents
from iplkit.widgets import png

LABELS = {"seed": "seed", "psi": "truncation psi", "second": "second seed", "crossover": "second from row", "share": "share of the domain"}


class Live:
    """Draws what the controls say.

    Args:
        controls: what can be moved.
        generator: the source generator.
        directions: ``[len(controls.directions), D]``.
        adapted: name -> adapted generator, for each of ``controls.domains``.
    """

    def __init__(self, controls: Controls, generator: nn.Module, directions: Tensor, adapted: dict[str, nn.Module]):
        self.controls, self.source, self.adapted = controls, generator, adapted
        table = latents(generator, controls, directions)
        self.w, self.w_avg, self.directions = table["w"].float(), table["w_avg"], table["directions"]

    @torch.no_grad()
    def draw(self, edit: Edit) -> Tensor:
        """The picture of one setting, ``[1, 3, H, W]`` in about [-1, 1], with the stored noise."""
        ws = edited_ws(edit, self.controls, self.w, self.w_avg, self.directions)
        if not edit.domain or edit.share == 0:
            return self.source.synthesis(ws, noise_mode="const")
        weights = blended(self.source.synthesis, self.adapted[edit.domain].synthesis, edit.share)
        return torch.func.functional_call(self.source.synthesis, weights, (ws,), {"noise_mode": "const"})

    def widget(self, scale: int = 4) -> ipywidgets.HBox:
        """The controls for a running kernel: picture left, sliders right."""
        return Panel(self, scale).box

    def page(self, edits: dict[str, Edit], alt: str, scale: int = 4) -> "LivePage":
        """The same controls for a page without a kernel.

        Args:
            edits: label -> setting of the frames that are drawn now; the first one is the still.
            alt: one sentence for readers who cannot see the picture.
            scale: screen pixels a picture pixel, at each side.
        """
        return LivePage(torch.cat([self.draw(edit) for edit in edits.values()]), list(edits), alt, scale)


class Panel:
    """Widgets of all controls around one picture; `box` is what a notebook shows."""

    def __init__(self, live: Live, scale: int):
        known = live.controls
        self.live, self.scale, self.offsets, self.quiet = live, scale, {}, False
        self.knobs = {name: _slider(label, getattr(known, name)) for name, label in LABELS.items()}
        domains = [(known.source, ""), *((label, name) for name, label in known.domains.items())]
        self.domain = ipywidgets.Dropdown(options=domains, value="", description="domain")
        self.direction = ipywidgets.Dropdown(options=known.directions, description="direction")
        self.places = {place: _slider(place, known.strength) for place in known.places}
        self.picture = ipywidgets.Image(format="png")
        for knob in (*self.knobs.values(), self.domain, *self.places.values()):
            knob.observe(self.redraw, names="value")
        self.direction.observe(self.show_direction, names="value")
        self.redraw()
        controls = [*self.knobs.values(), self.domain, self.direction, *self.places.values()]
        self.box = ipywidgets.HBox([self.picture, ipywidgets.VBox(controls)])

    def redraw(self, change=None) -> None:
        """Draw the setting that the widgets show."""
        if self.quiet:
            return
        self.offsets[self.direction.value] = {place: knob.value for place, knob in self.places.items() if knob.value}
        record = {"kind": KIND, "domain": self.domain.value, "offsets": self.offsets}
        edit = self.live.controls.read(record | {name: knob.value for name, knob in self.knobs.items()})
        self.picture.value = png(self.live.draw(edit), self.scale)

    def show_direction(self, change) -> None:
        """Let the sliders show the strengths of the direction just chosen; the others keep theirs."""
        kept, self.quiet = self.offsets.get(change["new"], {}), True
        for place, knob in self.places.items():
            knob.value = kept.get(place, 0)
        self.quiet = False


class LivePage:
    """Frames with a slider, and the place where the page's script offers the live model.

    Without scripts the first frame and a sentence remain. The frames are part of the page, so they work from a file.
    """

    def __init__(self, images: Tensor, labels: list[str], alt: str, scale: int):
        self.images, self.labels, self.alt, self.scale = images, labels, alt, scale

    def _repr_html_(self) -> str:
        strip = filmstrip(self.images, self.labels, alt=self.alt, scale=self.scale)._repr_html_()
        side = self.images.shape[-1]
        return (
            f'<div class="live" data-side="{side}" data-alt="{escape(self.alt, quote=True)}"><div class="live-strip">{strip}</div>'
            '<p class="live-offer" hidden></p>'
            "<noscript><p>This picture moves only where scripts are allowed; the text does not need it.</p></noscript></div>"
        )


def _slider(name: str, span: Range) -> ipywidgets.Widget:
    kind = ipywidgets.IntSlider if span.step == 1 else ipywidgets.FloatSlider
    return kind(
        value=span.start, min=span.low, max=span.high, step=span.step, description=name, continuous_update=True,
        style={"description_width": "initial"},
    )  # fmt: skip
