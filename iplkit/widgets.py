"""Controls for a notebook that a reader runs: sliders that redraw a picture at once.

They need a running kernel. A static page shows `iplkit.plotting.filmstrip` instead.
"""

import io
from collections.abc import Callable, Sequence

import ipywidgets
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import to_pil

LABEL_WIDTH = "initial"  # as wide as the name needs


def sliders(
    draw: Callable[[dict[str, float]], Tensor], names: Sequence[str], *,
    low: float = -2.0, high: float = 2.0, step: float = 0.25, scale: int = 4,
) -> ipywidgets.VBox:  # fmt: skip
    """One slider a name and the picture that belongs to their values.

    Args:
        draw: values by name -> one picture, ``[1, 3, H, W]`` or ``[3, H, W]`` in [-1, 1]. Called once for the start
            (0, or the nearest end) and once for every move.
        names: what the sliders are called, each once.
        low, high, step: their range.
        scale: each picture pixel becomes a block of this many screen pixels, at each side.

    Returns:
        A box that a notebook shows; its last child is the picture.

    Raises:
        UserError: if there is no name, a name comes twice, or the range is empty.
    """
    if not names or len(set(names)) < len(names):
        raise UserError(f"sliders need names, each once; got {list(names)}")
    if not low < high or step <= 0:
        raise UserError(f"sliders need low < high and a step above 0; got low {low}, high {high}, step {step}")
    start = min(max(0.0, low), high)
    knobs = {name: _slider(name, start, low, high, step) for name in names}
    picture = ipywidgets.Image(format="png")

    def redraw(change=None) -> None:
        picture.value = png(draw({name: knob.value for name, knob in knobs.items()}), scale)

    for knob in knobs.values():
        knob.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*knobs.values(), picture])


def png(image: Tensor, scale: int = 1) -> bytes:
    """One picture as a PNG file, each pixel a block of `scale` pixels, none resampled."""
    picture, file = to_pil(image), io.BytesIO()
    picture.resize((picture.width * scale, picture.height * scale), resample=0).save(file, "PNG")
    return file.getvalue()


def _slider(name: str, value: float, low: float, high: float, step: float) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=name,
        style={"description_width": LABEL_WIDTH}, continuous_update=True,
    )  # fmt: skip
