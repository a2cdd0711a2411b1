"""Files in the layout of the published encoders, with small random networks: to see what a loader says, not what an encoder knows."""

import torch

from iplkit.extractors.base import random_state
from iplkit.invert.published_nets import DESIGNS, KINDS, PublishedNet, Sizes
from iplkit.stylegan2.checkpoints import to_rosinality
from iplkit.stylegan2.generator import Generator, GeneratorConfig

WIDTH, SIDE, SIZE, ROWS = 32, 64, 64, 10
SMALL = Sizes(SIDE, ((16, 1), (16, 2), (16, 2), (WIDTH, 1)), WIDTH)
CHANNELS = {"psp": 3, "e4e": 3, "restyle-psp": 6, "restyle-e4e": 6}


def small_decoder(size: int = SIZE, width: int = WIDTH) -> Generator:
    """A frozen generator that draws noise, of `size` pixels and codes of `width`."""
    levels = size.bit_length() - 2
    return Generator(GeneratorConfig(size, (8,) * levels, z_dim=width, w_dim=width, n_mlp=2), seed=3).requires_grad_(False).eval()


def small_net(name: str, channels: int, rows: int = ROWS, seed: int = 0) -> PublishedNet:
    """One of `DESIGNS` with random weights."""
    net = PublishedNet(DESIGNS[name], rows, channels, SMALL)
    net.load_state_dict(random_state(net, seed))
    return net.eval().requires_grad_(False)


def checkpoint(kind: str, name: str | None = None, **changes) -> dict:
    """A file's content in the published layout.

    Args:
        kind: "psp", "e4e", "restyle-psp" or "restyle-e4e".
        name: of the encoder, where it is not that kind's usual one.
        changes: top-level entries in place of the usual ones.
    """
    name = name or KINDS[kind]
    size_key = "stylegan_size" if kind == "e4e" else "output_size"
    opts = {"encoder_type": name, size_key: SIZE, "start_from_latent_avg": True, "device": "cuda:0", "checkpoint_path": "/elsewhere/best.pt"}
    state = {f"encoder.{n}": t for n, t in small_net(name, CHANNELS[kind]).state_dict().items()}
    state |= {f"decoder.{n}": t for n, t in to_rosinality(small_decoder()).items()}
    mean = torch.randn(WIDTH, generator=torch.Generator().manual_seed(8)).expand(ROWS, -1).clone()
    return {"state_dict": state, "opts": opts, "latent_avg": mean} | changes
