"""Random models of the real architectures that more than one folder of tests needs."""

from iplkit.stylegan2.generator import Generator, GeneratorConfig


def small_generator() -> Generator:
    """Six rows, 16 px; noise strengths are not 0, so noise can be seen."""
    generator = Generator(GeneratorConfig(16, (16, 12, 8), z_dim=32, w_dim=512, n_mlp=2), seed=0)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
    return generator.requires_grad_(False).eval()
