import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.stylegan2.fir import blur, downsample, fir_kernel, upsample


def by_hand(x, kernel, up, down, before, after):
    """Insert zeros, pad, filter, keep every down-th pixel: the definition, one step at a time."""
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, h * up, w * up)
    wide[:, :, ::up, ::up] = x
    wide = F.pad(wide, (before, after, before, after))
    out = F.conv2d(wide.reshape(n * c, 1, *wide.shape[2:]), kernel.flip(0, 1)[None, None])
    return out.reshape(n, c, *out.shape[2:])[:, :, ::down, ::down]


@pytest.fixture
def x(generator):
    return torch.randn(2, 3, 8, 6, generator=generator)


def test_the_filter_sums_to_one_and_is_symmetric():
    kernel = fir_kernel()
    assert kernel.shape == (4, 4) and kernel.sum() == 1
    assert torch.equal(kernel, kernel.T) and torch.equal(kernel, kernel.flip(0, 1))


def test_upsampling_is_zeros_then_the_filter_with_gain_four(x):
    assert_close(upsample(x, fir_kernel()), by_hand(x, 4 * fir_kernel(), 2, 1, 2, 1))


def test_downsampling_is_the_filter_then_every_second_pixel(x):
    assert_close(downsample(x, fir_kernel()), by_hand(x, fir_kernel(), 1, 2, 1, 1))


def test_blur_is_the_filter(x):
    assert_close(blur(x, fir_kernel(), padding=2), by_hand(x, fir_kernel(), 1, 1, 2, 2))


def test_flat_areas_keep_their_value_inside():
    x = torch.full((1, 2, 8, 8), 0.7)
    assert_close(upsample(x, fir_kernel())[:, :, 1:-1, 1:-1], torch.full((1, 2, 14, 14), 0.7))
    assert_close(downsample(x, fir_kernel())[:, :, 1:-1, 1:-1], torch.full((1, 2, 2, 2), 0.7))


def test_no_checkerboard_is_left_by_upsampling():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    y = upsample(x, fir_kernel())
    phases = [y[0, 0, i::2, j::2].sum() for i in (0, 1) for j in (0, 1)]
    assert_close(torch.stack(phases), torch.ones(4))
