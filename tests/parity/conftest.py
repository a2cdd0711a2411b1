"""A random generator of 16 px and a random CLIP of two layers and two heads."""

import pytest
import torch

from iplkit.clip.model import ClipConfig, build_world_clip, freeze
from small_models import small_generator

SIZES = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=2)
TEMPLATES = ("a photo of a {}.", "a bad photo of the {}.", "art of the {}.")


@pytest.fixture(scope="session")
def clip():
    return freeze(build_world_clip(ClipConfig(**SIZES, embed_dim=24), seed=1))


@pytest.fixture
def source():
    return small_generator()


@pytest.fixture(scope="session")
def templates():
    return TEMPLATES


@pytest.fixture
def gradients_of(monkeypatch):
    """A list that gets the gradients of every update of every Adam, in the order of its parameters; None stays None.

    Adam divides a gradient by its own size, so where it is nearly 0 rounding decides the update. Gradients and
    updates are therefore compared one after the other, each on the same tensors.
    """
    seen, plain = [], torch.optim.Adam.step

    def step(self, *args, **options):
        seen.append([None if p.grad is None else p.grad.clone() for group in self.param_groups for p in group["params"]])
        return plain(self, *args, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    return seen
