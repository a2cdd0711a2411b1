"""Small networks in the file layout of the published encoders."""

import torch

from iplkit.extractors.base import random_state
from iplkit.invert.published_nets import DESIGNS, KINDS, PublishedNet, Sizes
from iplkit.stylegan2.checkpoints import to_rosinality
from iplkit.stylegan2.generator import Generator, GeneratorConfig

WIDTH, SIDE, SIZE, ROWS = 32, 64, 64, 10
SMALL = Sizes(SIDE, ((16, 1), (16, 2), (16, 2), (WIDTH, 1)), WIDTH)
CHANNELS = {"psp": 3, "e4e": 3, "restyle-psp": 6, "restyle-e4e": 6}


def small_decoder(size=SIZE, width=WIDTH):
    levels = size.bit_length() - 2
    return Generator(GeneratorConfig(size, (8,) * levels, z_dim=width, w_dim=width, n_mlp=2), seed=3).requires_grad_(False).eval()


def small_net(name, channels, rows=ROWS, seed=0):
    net = PublishedNet(DESIGNS[name], rows, channels, SMALL)
    net.load_state_dict(random_state(net, seed))
    return net.eval().requires_grad_(False)


def checkpoint(kind, name=None, **changes):
    """A file's content in the published layout, with small networks."""
    name = name or KINDS[kind]
    size_key = "stylegan_size" if kind == "e4e" else "output_size"
    opts = {"encoder_type": name, size_key: SIZE, "start_from_latent_avg": True, "device": "cuda:0", "checkpoint_path": "/elsewhere/best.pt"}
    state = {f"encoder.{n}": t for n, t in small_net(name, CHANNELS[kind]).state_dict().items()}
    state |= {f"decoder.{n}": t for n, t in to_rosinality(small_decoder()).items()}
    mean = torch.randn(WIDTH, generator=torch.Generator().manual_seed(8)).expand(ROWS, -1).clone()
    return {"state_dict": state, "opts": opts, "latent_avg": mean} | changes
