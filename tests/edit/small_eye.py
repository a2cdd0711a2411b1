"""A small generator with a small CLIP behind it, and S's statistics of it."""

import torch
from small_models import small_generator

from iplkit.clip.model import ClipConfig, build_world_clip, freeze
from iplkit.edit.relevance import Eye
from iplkit.edit.statistics import style_statistics

SMALL = ClipConfig(image_size=16, patch_size=8, vision_width=64, vision_layers=1, text_width=64, text_heads=1, text_layers=1, embed_dim=16)


def small_eye() -> Eye:
    """16 px; the features are 16 wide."""
    clip = freeze(build_world_clip(SMALL, seed=1))
    with torch.no_grad():
        clip.model.text_projection.mul_(4)
    return Eye(small_generator(), clip)


def people(eye: Eye, n: int = 3):
    """Style codes of n people, and the statistics."""
    with torch.no_grad():
        ws = eye.generator.mapping(torch.randn(n, 32, generator=torch.Generator().manual_seed(3)))
        return eye.space.flat(eye.generator.synthesis.styles(ws)), style_statistics(eye.generator, 200)
