"""A small generator of the real kind."""

from iplkit.stylegan2.generator import Generator, GeneratorConfig


def small_generator(seed=0):
    """64 px, 10 rows of 32."""
    return Generator(GeneratorConfig(64, (8,) * 5, z_dim=32, w_dim=32, n_mlp=2), seed=seed).requires_grad_(False).eval()
