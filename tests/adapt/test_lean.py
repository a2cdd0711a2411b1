"""Fewer kept tensors, the same gradients."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iplkit.adapt.lean import InputsOnly
from iplkit.adapt.selectors import row_scores


def bytes_kept(function):
    """Bytes of the distinct tensors kept for the backward pass."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = function()
    return result, sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("layer", [
    nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2, groups=2, bias=False), nn.ConvTranspose2d(3, 4, 3, stride=2, bias=False),
    nn.Conv2d(3, 4, (3, 1), padding="same"), nn.Conv2d(3, 4, 3, dilation=2), nn.LeakyReLU(0.2), nn.LeakyReLU(-0.2),
])  # fmt: skip
def test_values_and_gradients_are_the_same_bits(layer, generator):
    layer.requires_grad_(False)
    x = torch.randn(2, getattr(layer, "in_channels", 3), 9, 9, generator=generator).requires_grad_()
    plain = layer(x)
    with InputsOnly():
        lean = layer(x)
    assert torch.equal(plain, lean)
    weight = torch.randn(plain.shape, generator=generator)
    assert torch.equal(*(torch.autograd.grad((y * weight).sum(), x)[0] for y in (plain, lean)))


def test_a_weight_that_is_trained_gets_its_gradient(generator):
    layer, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8, generator=generator).requires_grad_()
    with InputsOnly():
        layer(x).square().sum().backward()
    lean = layer.weight.grad.clone()
    layer.zero_grad()
    layer(x).square().sum().backward()
    assert lean.abs().sum() > 0 and torch.equal(lean, layer.weight.grad)


def test_under_autocast_nothing_changes(generator):
    layer, x = nn.Conv2d(3, 4, 3).requires_grad_(False), torch.randn(2, 3, 8, 8, generator=generator).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        plain = layer(x)
        with InputsOnly():
            lean = layer(x)
    assert plain.dtype == lean.dtype == torch.bfloat16 and torch.equal(plain, lean)


def test_the_input_of_a_frozen_convolution_is_not_kept(generator):
    layer, x = nn.Conv2d(8, 8, 3, padding=1).requires_grad_(False), torch.randn(1, 8, 32, 32, generator=generator).requires_grad_()
    _, plain = bytes_kept(lambda: layer(x * 2))
    with InputsOnly():
        _, lean = bytes_kept(lambda: layer(x * 2))
    assert plain - lean == x.nbytes
    _, both = bytes_kept(lambda: F.leaky_relu(x * 2, 0.2).square())
    with InputsOnly():
        _, once = bytes_kept(lambda: F.leaky_relu(x * 2, 0.2).square())
    assert both - once == x.nbytes


def test_scores_of_rows_are_the_same_bits_and_keep_less(tiny_generator, tiny_clip, generator, monkeypatch):
    text = tiny_clip.encode_text(tiny_clip.tokenize(["sketch"])).detach()
    ws = tiny_generator.mapping(torch.randn(3, 32, generator=generator)).detach()
    score = lambda: row_scores(tiny_generator, tiny_clip, text, ws, 3)  # noqa: E731
    lean, few = bytes_kept(score)
    monkeypatch.setattr("iplkit.adapt.selectors.InputsOnly", nullcontext)
    plain, many = bytes_kept(score)
    assert torch.equal(lean, plain) and few < many
