"""A random generator of 16 px and a random CLIP of two layers: the real architectures, from no file."""

import pytest

from iplkit.adapt.settings import AdaptSettings
from iplkit.clip.model import ClipConfig, build_world_clip, freeze
from small_models import small_generator

SIZES = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=1)


@pytest.fixture(scope="session")
def tiny_clip():
    """Knows all words: the full token table, as every CLIP has after loading."""
    return freeze(build_world_clip(ClipConfig(**SIZES, embed_dim=24), seed=1))


@pytest.fixture
def tiny_generator():
    """Six rows, 16 px; noise strengths are not 0, so noise can be seen."""
    return small_generator()


@pytest.fixture
def short():
    """Settings that use everything once, in a second."""
    return AdaptSettings(
        steps=4, batch=3, lr=0.002, views=2, select_every=2, select_batch=4, select_micro=2, save_every=2,
        mapper_steps=3, mapper_batch=4, mapper_pool=8,
    )  # fmt: skip
