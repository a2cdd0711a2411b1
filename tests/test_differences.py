import copy

import pytest
import torch

from iplkit.differences import apply_difference, write_difference
from iplkit.errors import UserError
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.weights import write_weights


@pytest.fixture
def pair(generator):
    source = Generator(GeneratorConfig(size=32, channels=(8, 8, 8, 8), n_mlp=2))
    target = copy.deepcopy(source)
    with torch.no_grad():
        for p in target.synthesis.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=generator))
    return source, target


def test_what_is_read_is_what_was_moved_less_the_stated_loss(pair, tmp_path):
    source, target = pair
    lost = write_difference(tmp_path / "d.safetensors", source, target, "base", {"method": "nada", "source": "photo"})
    found = apply_difference(tmp_path / "d.safetensors", source, "base")
    gap = sum(float((a - b).detach().square().sum()) for a, b in zip(found.parameters(), target.parameters()))
    move = sum(float((a - b).detach().square().sum()) for a, b in zip(source.parameters(), target.parameters()))
    assert 0 < lost < 0.08 and (gap / move) ** 0.5 == pytest.approx(lost, rel=1e-3)


def test_a_difference_of_another_generator_is_refused(pair, tmp_path):
    write_difference(tmp_path / "d.safetensors", *pair, "base", {})
    with pytest.raises(UserError, match="SHA-256 base; this one has other"):
        apply_difference(tmp_path / "d.safetensors", pair[0], "other")
    write_weights(tmp_path / "w.safetensors", {"x": torch.zeros(2)}, {"kind": "clip"})
    with pytest.raises(UserError, match="w.safetensors needs"):
        apply_difference(tmp_path / "w.safetensors", pair[0], "base")
