"""What the tests of inversion share: a generator of 16 px, a perceptual term without a network, an encoder."""

import torch
import torch.nn.functional as F
from small_models import small_generator

from iplkit.invert.perceptual import Perceptual
from iplkit.nets.encoder import Encoder, EncoderConfig
from iplkit.stylegan2.generator import Generator


def a_generator() -> Generator:
    """Its W has a middle that is not 0."""
    generator = small_generator()
    generator.mapping.estimate_w_avg(torch.Generator().manual_seed(1), 64)
    return generator


def a_perceptual() -> Perceptual:
    """Two blurred views stand in for the layers of a network."""
    return Perceptual(lambda x: [F.avg_pool2d(x, 2), F.avg_pool2d(x, 4)], True, "blur")


def an_encoder(generator: Generator) -> Encoder:
    """Untrained, but its answers are not 0."""
    net = Encoder(EncoderConfig(size=16, num_ws=generator.num_ws, width=8, hidden=16, basis=6), seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        torch.nn.init.normal_(net.answer.weight, std=0.05)
    return net.eval().requires_grad_(False)


def some_pictures(generator: Generator, n: int = 3, seed: int = 5) -> torch.Tensor:
    """Samples without noise, in [-1, 1]."""
    z = torch.randn(n, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return (generator(z, noise_mode="none") / 4).clamp(-1, 1)
