import torch
from torch.testing import assert_close

from iplkit.adapt.views import random_views


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_views_means_the_images_themselves(generator):
    images = torch.rand(2, 3, 16, 16, generator=generator)
    assert random_views(images, 0, generator) is images


def test_a_window_of_full_size_shows_the_image(generator):
    images = torch.rand(2, 3, 16, 16, generator=generator)
    views = random_views(images, 2, generator, scale=0, shift=0, noise=0)
    assert_close(views, images.repeat_interleave(2, dim=0), atol=1e-5, rtol=0)  # bilinear weights are 1 up to rounding


def test_equal_seeds_see_two_image_sets_through_the_same_windows(generator):
    a, b = torch.rand(2, 2, 3, 16, 16, generator=generator)
    difference = random_views(a, 3, rng(5)) - random_views(b, 3, rng(5))
    assert_close(difference, random_views(a - b, 3, rng(5), noise=0), atol=1e-6, rtol=0)  # resampling is linear


def test_views_differ_from_each_other_and_stay_in_range(generator):
    images = torch.rand(1, 3, 16, 16, generator=generator) * 2 - 1
    views = random_views(images, 4, generator, noise=0)
    assert views.shape == (4, 3, 16, 16)
    assert views.abs().max() <= 1
    assert min((views[i] - views[j]).abs().max() for i in range(4) for j in range(i)) > 0.01


def test_gradients_reach_the_image(generator):
    images = torch.rand(1, 3, 16, 16, generator=generator, requires_grad=True)
    random_views(images, 2, generator).sum().backward()
    assert images.grad.abs().sum() > 0
