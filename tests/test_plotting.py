"""What `iplkit.plotting` promises about colors and pixels."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from iplkit import plotting
from iplkit.errors import UserError
from iplkit.images import to_uint8
from iplkit.plotting import COLORS, image_grid, ink, label_end, new_figure, plain_log


def luminance(color):
    """Relative luminance as WCAG 2 defines it."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast_with_white(color):
    return 1.05 / (luminance(color) + 0.05)


@pytest.mark.parametrize("name", COLORS)
def test_lines_have_contrast_3_and_their_labels_4_5(name):
    assert contrast_with_white(COLORS[name]) >= 3
    assert contrast_with_white(ink(COLORS[name])) >= 4.5


def test_no_two_meanings_share_a_color():
    assert len(set(COLORS.values())) == len(COLORS) == 5


def pictures(n, h=16, w=24):
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(0)) * 2 - 1


def drawn(fig):
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def found_at(page, tile):
    """Top-left corners where the tile stands pixel for pixel."""
    h, w, _ = tile.shape
    windows = np.lib.stride_tricks.sliding_window_view(page, (h, w, 3))[:, :, 0]
    return np.argwhere((windows == tile).all(axis=(2, 3, 4)))


@pytest.mark.parametrize("columns", [None, ["seed 0", "seed 1", "seed 2"]])
def test_grid_shows_every_picture_once_and_unresampled(columns):
    images = pictures(6)
    page = drawn(image_grid(images, ["source", "a longer label"], columns))
    tiles = to_uint8(images).permute(0, 2, 3, 1).numpy()
    places = [found_at(page, tile) for tile in tiles]
    assert [len(place) for place in places] == [1] * 6
    first_row, second_row = places[0][0], places[3][0]
    assert second_row[0] - first_row[0] == 16 + 4 and second_row[1] == first_row[1]
    assert places[1][0][1] - first_row[1] == 24 + 4


def test_scale_makes_blocks():
    images = pictures(1, 4, 4)
    page = drawn(image_grid(images, [""], scale=3))
    tile = to_uint8(images)[0].permute(1, 2, 0).numpy().repeat(3, 0).repeat(3, 1)
    assert len(found_at(page, tile)) == 1
    assert page.shape[:2] == (12, 12), "empty labels take no room"


def test_labels_stay_outside_the_pixels_and_inside_the_page():
    images = torch.ones(2, 3, 40, 40)
    page = drawn(image_grid(images, ["row label"], ["one", "two"]))
    edge = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
    assert (edge == 255).all(), "text is cut at the edge"
    assert (page < 128).any(), "labels are missing"


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("label", ["row label", "j"])
def test_row_labels_keep_off_the_edge_of_the_page(scale, label):
    page = drawn(image_grid(torch.ones(2, 3, 40, 40), [label, ""], scale=scale))
    ink_at = (page < 250).any(axis=(0, 2)).nonzero()[0]
    assert 4 * scale <= ink_at[0] <= 5 * scale + 2 and ink_at[-1] < page.shape[1] - 40 * scale


def test_grid_refuses_what_does_not_fit():
    with pytest.raises(UserError, match="5 pictures do not fill 2 rows"):
        image_grid(pictures(5), ["a", "b"])
    with pytest.raises(UserError, match="3 labels for 2 columns"):
        image_grid(pictures(4), ["a", "b"], ["x", "y", "z"])


def test_figures_have_the_width_of_the_page():
    for name, inches in plotting.WIDTHS.items():
        fig, _ = new_figure(name)
        assert fig.get_figwidth() == inches
    with pytest.raises(UserError, match="wide"):
        new_figure("wide")


def test_log_axis_has_plain_numbers_and_lines_have_names():
    fig, ax = new_figure()
    ax.plot([1, 50], [1, 2], color=plotting.IPL)
    plain_log(ax.xaxis)
    label_end(ax, 50, 2, "IPL", plotting.IPL)
    fig.canvas.draw()
    assert {"1", "2", "5", "10"} <= {label.get_text() for label in ax.get_xticklabels()}
    assert ax.texts[0].get_color() == ink(plotting.IPL)


def test_pictures_of_more_than_256_pixels_are_made_smaller_in_a_grid():
    large, small = (image_grid(torch.zeros(2, 3, side, side), [""], scale=scale) for side, scale in ((1024, 2), (256, 1)))
    assert large.get_size_inches().tolist() == small.get_size_inches().tolist()
