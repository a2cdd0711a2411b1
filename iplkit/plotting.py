"""How this book draws: sizes, colors that keep their meaning, grids whose pixels are the pictures' own."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import resize, to_uint8

# From the palette of Okabe and Ito 2008, for readers with any color vision. One color, one meaning, on every page.
SOURCE = "#0072B2"  # blue: source domain, frozen generator
TARGET = "#D55E00"  # vermillion: target domain, trained generator
IPL = "#009E73"  # green: one prompt per image
NADA = "#CC79A7"  # pink: one prompt for all images
NEUTRAL = "#4D4D4D"  # gray, drawn dashed: real data, chance, a paper's number
COLORS = {"source": SOURCE, "target": TARGET, "ipl": IPL, "nada": NADA, "neutral": NEUTRAL}

MAGNITUDES = "viridis"  # color map for values from 0 up
SIGNED = "RdBu_r"  # color map for values around 0, for example cosines

WIDTHS = {"margin": 2.2, "text": 7.0, "full": 9.4}  # inches as shown: 96 screen pixels to the inch
DPI = 96  # of pixel figures: one picture pixel is one screen pixel
LARGEST = 256  # side of a picture in a grid, pixels
AIR = 5  # screen pixels from the page's edge to the longest row label of a grid, times its `scale`

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#555555",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[SOURCE, TARGET, IPL, NADA, NEUTRAL]),
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "iplkit",  # same data, same bytes
}


def use_style() -> None:
    """Give every figure drawn from here on the look of the book."""
    mpl.rcParams.update(STYLE)


def ink(color: str) -> tuple[float, float, float]:
    """The same hue, dark enough for small text on white, as RGB in [0, 1]."""
    return tuple(0.75 * channel for channel in to_rgb(color))


def new_figure(width: str = "text", aspect: float = 0.42, **subplots):
    """A figure and its axes, at the width at which the page shows it.

    Args:
        width: "margin", "text" or "full".
        aspect: height / width.
        **subplots: what `Figure.subplots` takes, for example ``ncols=2, sharey=True``.

    Returns:
        Figure and axes. `iplkit.records.save_figure` stores and shows it.
    """
    if width not in WIDTHS:
        raise UserError(f"width needs to be one of {', '.join(WIDTHS)}; it is {width!r}")
    use_style()
    fig = Figure(figsize=(WIDTHS[width], WIDTHS[width] * aspect), layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.subplots(**subplots)


def plain_log(axis) -> None:
    """Make an axis logarithmic, with the labels 1, 2, 5, 10 instead of powers of ten."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def label_end(ax, x, y, text: str, color: str) -> None:
    """Name a line at its right end, in its own color: a reader needs no legend."""
    ax.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", color=ink(color), annotation_clip=False)


def image_grid(images: Tensor, rows: Sequence[str], columns: Sequence[str] | None = None, *, gap: int = 4, scale: int = 1) -> Figure:
    """Lay pictures out in rows and columns, labels outside the pixels, no pixel resampled; only pictures of more than 256 px are made smaller.

    Args:
        images: ``[len(rows) * C, 3, H, W]`` in [-1, 1], row by row.
        rows: one label a row; a row is one thing (a method, a layer, a prompt). Empty strings take no room.
        columns: one label a column; a column is one latent code, the same in every row.
        gap: white screen pixels between pictures.
        scale: each picture pixel becomes a block of this many screen pixels, at each side.

    Returns:
        A figure that `iplkit.records.save_figure` writes as PNG, one block to one pixel.

    Raises:
        UserError: if the pictures do not fill the rows, or the labels do not fit the columns.
    """
    if max(images.shape[-2:]) > LARGEST:
        images, scale = resize(images, tuple(side * LARGEST // max(images.shape[-2:]) for side in images.shape[-2:])), 1
    tiles = to_uint8(images).permute(0, 2, 3, 1).cpu().numpy().repeat(scale, axis=1).repeat(scale, axis=2)
    n, h, w, _ = tiles.shape
    if not rows or n % len(rows):
        raise UserError(f"image_grid needs as many pictures in each row; {n} pictures do not fill {len(rows)} rows")
    n_columns = n // len(rows)
    if columns is not None and len(columns) != n_columns:
        raise UserError(f"image_grid needs one label a column; there are {len(columns)} labels for {n_columns} columns")
    canvas = np.full((len(rows) * (h + gap) - gap, n_columns * (w + gap) - gap, 3), 255, np.uint8)
    for k, tile in enumerate(tiles):
        top, left = (k // n_columns) * (h + gap), (k % n_columns) * (w + gap)
        canvas[top : top + h, left : left + w] = tile
    return _labelled(canvas, rows, columns or [], h + gap, w + gap, gap, AIR * scale)


def _labelled(
    canvas: np.ndarray, rows: Sequence[str], columns: Sequence[str], row_step: int, column_step: int, gap: int, air: int
) -> Figure:
    """Put the canvas on a page of whole pixels and write the labels beside it, `air` pixels from the page's edge."""
    use_style()
    margin = max((_text_width(text) + 8 + air for text in rows if text), default=0)
    head = 18 if any(columns) else 0
    height, width = canvas.shape[0] + head, canvas.shape[1] + margin
    fig = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="none")
    FigureCanvasAgg(fig)
    fig.figimage(canvas, xo=margin, yo=0)
    for r, text in enumerate(rows):
        y = canvas.shape[0] - r * row_step - (row_step - gap) / 2
        fig.text((margin - 8) / width, y / height, text, ha="right", va="center")
    for c, text in enumerate(columns):
        x = margin + c * column_step + (column_step - gap) / 2
        fig.text(x / width, (canvas.shape[0] + 5) / height, text, ha="center", va="bottom", color=NEUTRAL)
    fig.made_of_pixels = True
    return fig


def _text_width(text: str) -> int:
    """Width of a label in screen pixels, in the font of the figures."""
    fig = Figure(dpi=DPI)
    FigureCanvasAgg(fig)
    return int(np.ceil(fig.text(0, 0, text).get_window_extent().width))
