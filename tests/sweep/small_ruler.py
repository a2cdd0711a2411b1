"""A random generator, judge and identity net of 32 px, and a ruler that looks at few pictures."""

from iplkit.nets.identity import Identity, IdentityConfig
from iplkit.nets.judge import Judge
from iplkit.nets.readout import ClassifierConfig
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.sweep.ruler import Reach, Ruler

REACH = Reach(pictures=24, people=10, textures=8, references=2, clusters=2)


def random_generator(seed=0):
    """Eight rows, 32 px; noise strengths are not 0, so noise can be seen."""
    network = Generator(GeneratorConfig(32, (16, 12, 8, 8), z_dim=32, w_dim=32, n_mlp=2), seed=seed)
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
    return network.requires_grad_(False).eval()


def new_ruler():
    judge = Judge(ClassifierConfig(size=32, width=8)).eval().requires_grad_(False)
    who = Identity(IdentityConfig(size=32, width=8, embed_dim=16)).eval().requires_grad_(False)
    return Ruler(random_generator(), REACH, judge, who)
