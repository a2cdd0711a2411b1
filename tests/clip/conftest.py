"""A CLIP of the real architecture, two layers deep: fast, and from no file."""

import pytest

from iplkit.clip.model import ClipConfig, build_world_clip, compact_ids, freeze

GRAMMAR = ["a photo of a disney", "anime painting", "a photo of a human.", "ukiyo-e"]
SIZES = dict(image_size=32, patch_size=16, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=1)
TINY = ClipConfig(**SIZES, embed_dim=24)


@pytest.fixture(scope="session")
def config():
    return TINY


@pytest.fixture(scope="session")
def tiny_clip():
    """The full table of 49408 rows; knows all words."""
    return freeze(build_world_clip(TINY, seed=1))


@pytest.fixture(scope="session")
def compact_clip():
    """Only the rows of a small grammar."""
    return freeze(build_world_clip(TINY, compact_ids(GRAMMAR), seed=2))


@pytest.fixture(scope="session")
def grammar():
    return GRAMMAR
