"""Tiny networks of the real classes, from no file: they know nothing, and every number of theirs can be computed."""

import pytest

from iplkit.bars.sets import Scale
from iplkit.clip.model import ClipConfig, build_world_clip, freeze
from iplkit.nets.identity import Identity, IdentityConfig
from iplkit.nets.judge import Judge
from iplkit.nets.readout import ClassifierConfig
from iplkit.stylegan2.generator import Generator, GeneratorConfig

CLIP = ClipConfig(image_size=32, patch_size=16, vision_width=64, vision_layers=1, text_width=64, text_layers=1, text_heads=1, embed_dim=24)


@pytest.fixture(scope="session")
def scale():
    """A few pictures of everything."""
    return Scale(n=12, frontal=2, paired=1, faces=2, people=2, shares=3, steered=8, size=32, batch=8, seed=1)


@pytest.fixture(scope="session")
def models():
    """Name -> untrained network, small and frozen."""
    small = {
        "generator": Generator(GeneratorConfig(size=32, channels=(8, 8, 8, 8), n_mlp=2)),
        "judge": Judge(ClassifierConfig(size=32, width=8)),
        "identity": Identity(IdentityConfig(size=32, width=8)),
    }
    found = {name: net.eval().requires_grad_(False) for name, net in small.items()}
    return found | {"clip": freeze(build_world_clip(CLIP, seed=1))}
