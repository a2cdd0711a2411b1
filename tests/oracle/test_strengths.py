import pytest
import torch

from iplkit.errors import UserError
from iplkit.oracle.strengths import at_strength, collapsed, draw
from iplkit.stylegan2.generator import Generator, GeneratorConfig


def small(seed):
    return Generator(GeneratorConfig(size=32, channels=(8, 8, 8, 8), n_mlp=2), seed=seed)


def test_strength_zero_is_the_source_and_one_the_adapted():
    source, adapted = small(1), small(2)
    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw(at_strength(source, adapted, 0), z), draw(source, z))
    torch.testing.assert_close(draw(at_strength(source, adapted, 1), z), draw(adapted, z), atol=1e-5, rtol=0)
    beyond = at_strength(source, adapted, 1.5).synthesis.const
    torch.testing.assert_close(beyond, 1.5 * adapted.synthesis.const - 0.5 * source.synthesis.const)


def test_a_collapsed_generator_draws_one_face_again_and_again():
    generator = small(1)
    z = torch.randn(6, 512, generator=torch.Generator().manual_seed(0))
    spread = [draw(g, z).std(0).mean().item() for g in (collapsed(generator, 0), collapsed(generator, 0.2), generator)]
    assert spread[0] < 1e-5 < spread[1] < 0.6 * spread[2]
    torch.testing.assert_close(draw(collapsed(generator, 1), z), draw(generator, z), atol=1e-5, rtol=0)


def test_impossible_strengths_and_shares_are_refused():
    with pytest.raises(UserError, match="at least 0; got -1"):
        at_strength(small(1), small(2), -1)
    with pytest.raises(UserError, match="same sizes"):
        at_strength(small(1), Generator(GeneratorConfig(size=32, channels=(8, 8, 8, 4), n_mlp=2)), 1)
    with pytest.raises(UserError, match=r"in \[0, 1\]; got 2"):
        collapsed(small(1), 2)
