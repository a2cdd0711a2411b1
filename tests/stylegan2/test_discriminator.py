import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.stylegan2.discriminator import Discriminator, EqualConv, minibatch_stddev, r1_penalty
from iplkit.stylegan2.fir import blur, fir_kernel

CHANNELS = (12, 10, 8, 6)


@pytest.fixture
def small():
    return Discriminator(32, CHANNELS)


@pytest.fixture
def images(generator):
    return torch.randn(8, 3, 32, 32, generator=generator).clamp(-1, 1)


def test_one_logit_an_image(small, images):
    assert small(images).shape == (8,)


def test_halving_before_or_after_a_1x1_convolution_is_the_same(generator):
    layer = EqualConv(4, 5, 1, down=True, activate=False, rng=generator)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    want = F.conv2d(blur(x, fir_kernel(), padding=1), layer.weight / 2, stride=2)
    assert_close(layer(x, fir_kernel()), want)


def test_minibatch_stddev_is_its_definition_for_each_group(generator):
    x = torch.randn(8, 3, 4, 4, generator=generator)
    y = minibatch_stddev(x, group=4)
    assert torch.equal(y[:, :3], x)
    for first in (0, 1):
        want = x[first::2].var(dim=0, unbiased=False).sqrt().mean()
        assert_close(y[first::2, 3], want.expand(4, 4, 4))


def test_a_repeated_image_is_seen_and_its_gradient_is_finite(generator):
    x = torch.randn(1, 3, 4, 4, generator=generator).repeat(4, 1, 1, 1).requires_grad_()
    y = minibatch_stddev(x)
    assert_close(y[:, 3], torch.full((4, 4, 4), 1e-4), atol=1e-6, rtol=0)
    y.sum().backward()
    assert x.grad.isfinite().all()


def test_a_batch_that_does_not_divide_into_groups_is_refused():
    with pytest.raises(UserError, match="multiple of 4; got 6"):
        minibatch_stddev(torch.zeros(6, 3, 4, 4))


def test_r1_is_the_squared_slope(generator):
    images = torch.randn(4, 3, 2, 2, generator=generator).requires_grad_()
    logits = 3 * images[:, 0].sum(dim=(1, 2))  # slope 3 at four pixels
    assert_close(r1_penalty(logits, images), torch.tensor(36.0))


@pytest.mark.parametrize("half", [True, False])
def test_r1_reaches_the_weights(small, images, half):
    small = small.to(memory_format=torch.channels_last)
    images.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        logits = small(images)
    assert logits.dtype == torch.float32
    r1_penalty(logits, images).backward()
    grads = {name: parameter.grad for name, parameter in small.named_parameters() if name.endswith("weight")}
    assert all(grad is not None and grad.isfinite().all() and grad.any() for grad in grads.values())


def test_channels_last_changes_nothing(images):
    turned = Discriminator(32, CHANNELS).to(memory_format=torch.channels_last)
    assert_close(turned(images), Discriminator(32, CHANNELS)(images), atol=1e-4, rtol=1e-4)


def test_feature_maps_keep_their_size_through_a_block(small, generator):
    x = torch.randn(4, 6, 32, 32, generator=generator)
    y = small.blocks[0](x, small.fir).detach()
    assert y.shape == (4, 8, 16, 16)
    assert 1 / 3 < float(y.square().mean().sqrt()) < 3 and math.isfinite(float(y.sum()))


def test_images_of_another_size_are_refused(small):
    with pytest.raises(UserError, match=r"\[N, 3, 32, 32\]"):
        small(torch.zeros(4, 3, 16, 16))
