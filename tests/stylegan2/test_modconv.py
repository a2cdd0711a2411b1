import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.stylegan2.fir import fir_kernel
from iplkit.stylegan2.modconv import demodulation, modulated_conv2d


def grouped(x, weight, style, demodulate, up=False):
    """The paper's form: every image gets its own kernel, and a batch is one convolution with N groups."""
    n, i, h, w = x.shape
    o, _, k, _ = weight.shape
    kernel = weight[None] * style[:, None, :, None, None]  # [N, O, I, K, K]
    if demodulate:
        kernel = kernel * torch.rsqrt(kernel.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    x = x.reshape(1, n * i, h, w)
    if not up:
        return F.conv2d(x, kernel.reshape(n * o, i, k, k), padding=k // 2, groups=n).view(n, o, h, w)
    y = F.conv_transpose2d(x, kernel.transpose(1, 2).reshape(n * i, o, k, k), stride=2, groups=n)
    y = F.conv2d(F.pad(y, (1, 1, 1, 1)).view(n * o, 1, 2 * h + 3, 2 * w + 3), 4 * fir_kernel().to(y)[None, None])
    return y.view(n, o, 2 * h, 2 * w)


@pytest.fixture
def layer(generator):
    x = torch.randn(3, 8, 6, 10, generator=generator)
    weight = torch.randn(5, 8, 3, 3, generator=generator)
    return x, weight, 1 + 0.5 * torch.randn(3, 8, generator=generator)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_scaling_inputs_and_outputs_equals_one_kernel_per_image(layer, demodulate, up):
    x, weight, style = layer
    got = modulated_conv2d(x, weight, style, demodulate=demodulate, up_kernel=fir_kernel() if up else None)
    assert_close(got, grouped(x, weight, style, demodulate, up), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("up", [True, False])
def test_gradients_equal_those_of_one_kernel_per_image(layer, up):
    inputs = [t.double().requires_grad_() for t in layer]
    kernel = fir_kernel().double() if up else None
    mine = torch.autograd.grad(modulated_conv2d(*inputs, up_kernel=kernel).square().sum(), inputs)
    theirs = torch.autograd.grad(grouped(*inputs, True, up).square().sum(), inputs)
    for a, b in zip(mine, theirs):
        assert_close(a, b)


def test_an_image_does_not_see_its_neighbors(layer):
    x, weight, style = layer
    alone = modulated_conv2d(x[1:2], weight, style[1:2])
    assert_close(modulated_conv2d(x, weight, style)[1:2], alone, atol=1e-6, rtol=1e-5)


def test_demodulation_forgets_the_gain_of_weight_and_style(layer):
    x, weight, style = layer
    assert_close(modulated_conv2d(x, 7 * weight, 0.1 * style), modulated_conv2d(x, weight, style), atol=1e-5, rtol=1e-4)


def test_the_gain_multiplies_the_result(layer):
    for demodulate in (True, False):
        once = modulated_conv2d(*layer, demodulate=demodulate)
        assert_close(modulated_conv2d(*layer, demodulate=demodulate, gain=3.0), 3 * once)


def test_a_dead_kernel_stays_finite():
    assert demodulation(torch.zeros(2, 3, 3, 3), torch.ones(1, 3)).isfinite().all()


def test_demodulation_is_float32_under_autocast(layer):
    _, weight, style = layer
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(demodulation(weight, style), demodulation(weight.float(), style))
        assert demodulation(weight, style.bfloat16()).dtype == torch.float32


def test_shapes_that_do_not_agree_are_named(layer):
    x, weight, style = layer
    with pytest.raises(UserError, match=r"needs weight \[O, 8, K, K\] and style \[3, 8\]"):
        modulated_conv2d(x, weight, style[:2])
