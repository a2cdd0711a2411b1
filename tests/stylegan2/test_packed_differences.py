import copy

import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.stylegan2.checkpoints import load_difference, save_difference
from iplkit.stylegan2.differences import PACKED, dequantize, fingerprint, quantize
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.weights import read_metadata, read_weights, write_weights

CONFIG = GeneratorConfig(32, (16, 12, 10, 8), z_dim=32, w_dim=32, n_mlp=2)


def moved(source, amount, generator, only=""):
    adapted = copy.deepcopy(source)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if name.startswith("synthesis.") and only in name:
                parameter.add_(amount * torch.randn(parameter.shape, generator=generator))
    return adapted


@pytest.fixture
def source():
    return Generator(CONFIG)


def test_rounding_loses_at_most_half_a_step(generator):
    delta = torch.randn(6, 5, 3, 3, generator=generator) * torch.logspace(-6, 2, 6).view(6, 1, 1, 1)
    delta[2] = 0
    whole, step = quantize(delta)
    assert whole.dtype == torch.int8 and step.shape == (6,)
    error = (dequantize(whole, step) - delta).flatten(1).abs().amax(dim=1)
    assert (error <= 0.501 * step).all()
    assert not dequantize(whole, step)[2].any()


def test_one_large_value_in_a_channel_is_kept(generator):
    delta = 0.01 * torch.randn(2, 4000, generator=generator)
    delta[0, 7] = 3.0
    whole, step = quantize(delta)
    assert_close(dequantize(whole, step)[0, 7], torch.tensor(3.0), atol=float(step[0]), rtol=0)


def test_the_difference_brings_the_adapted_generator_back(source, tmp_path, generator):
    adapted = moved(source, 0.05, generator)
    save_difference(tmp_path / "d.safetensors", source, adapted, {"target": "ukiyo-e"})
    before = fingerprint(source)
    got = load_difference(tmp_path / "d.safetensors", source)
    assert fingerprint(source) == before
    for name, want in adapted.state_dict().items():
        base, back = source.state_dict()[name], got.state_dict()[name]
        change = (want - base).norm()
        assert (back - want).norm() <= 0.06 * change, name
    ws = torch.randn(2, 8, 32, generator=generator)
    with torch.no_grad():
        a, b, c = (model.synthesis(ws, "none") for model in (source, adapted, got))
    assert (c - b).norm() < 0.06 * (b - a).norm()
    assert read_metadata(tmp_path / "d.safetensors")["target"] == "ukiyo-e"


def test_a_generator_of_usual_size_needs_less_than_800_kilobytes(tmp_path, generator):
    source = Generator(GeneratorConfig(64, (128, 128, 80, 48, 24)))
    adapted = moved(source, 0.01, generator)
    assert sum(p.numel() for p in source.synthesis.parameters()) > 1.2e6
    save_difference(tmp_path / "d.safetensors", source, adapted)
    assert (tmp_path / "d.safetensors").stat().st_size < 800_000


def test_unchanged_tensors_cost_nothing(source, tmp_path, generator):
    adapted = moved(source, 0.05, generator, only="conv8")
    save_difference(tmp_path / "d.safetensors", source, adapted)
    tensors, record = read_weights(tmp_path / "d.safetensors")
    assert {name for name in tensors if name != PACKED} == {n for n, _ in source.named_parameters() if "conv8" in n}
    assert record["order"] == ["synthesis.layers.conv8.affine.weight", "synthesis.layers.conv8.weight"]


def test_no_change_is_a_difference_too(source, tmp_path):
    save_difference(tmp_path / "d.safetensors", source, copy.deepcopy(source))
    assert fingerprint(load_difference(tmp_path / "d.safetensors", source)) == fingerprint(source)


def test_memory_layout_has_no_part_in_it(source, tmp_path, generator):
    adapted = moved(source, 0.05, generator)
    save_difference(tmp_path / "a.safetensors", source, adapted)
    turned = [copy.deepcopy(model).to(memory_format=torch.channels_last) for model in (source, adapted)]
    save_difference(tmp_path / "b.safetensors", *turned)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert fingerprint(load_difference(tmp_path / "a.safetensors", turned[0])) == fingerprint(
        load_difference(tmp_path / "a.safetensors", source)
    )


def test_another_source_is_refused(source, tmp_path, generator):
    save_difference(tmp_path / "d.safetensors", source, moved(source, 0.05, generator))
    with pytest.raises(UserError, match="needs the source generator"):
        load_difference(tmp_path / "d.safetensors", Generator(CONFIG, seed=1))


def test_a_damaged_or_foreign_file_is_refused(source, tmp_path, generator):
    path = tmp_path / "d.safetensors"
    save_difference(path, source, moved(source, 0.05, generator))
    tensors, record = read_weights(path)
    for packed, word in ((tensors[PACKED][:50], "packed numbers"), (tensors[PACKED].flip(0), "damaged")):
        write_weights(path, tensors | {PACKED: packed}, record)
        with pytest.raises(UserError, match=word):
            load_difference(path, source)
    write_weights(path, tensors, {"kind": "generator"})
    with pytest.raises(UserError, match="holds generator"):
        load_difference(path, source)


def test_generators_that_cannot_be_compared_are_refused(source, tmp_path):
    other = Generator(GeneratorConfig(32, (16, 12, 10, 9), 32, 32, 2))
    with pytest.raises(UserError, match="same sizes"):
        save_difference(tmp_path / "d.safetensors", source, other)
    broken = copy.deepcopy(source)
    broken.synthesis.const.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="finite weights"):
        save_difference(tmp_path / "d.safetensors", source, broken)
    with pytest.raises(UserError, match="got source"):
        save_difference(tmp_path / "d.safetensors", source, source, {"source": 1})
