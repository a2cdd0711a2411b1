import io
import math
import pickle
import zipfile

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.stylegan2.checkpoints import (
    from_rosinality,
    infer_config,
    load_generator,
    save_generator,
    save_rosinality,
    to_rosinality,
)
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.weights import read_metadata, sha256, write_weights

CONFIG = GeneratorConfig(16, (7, 6, 5), z_dim=24, w_dim=24, n_mlp=3)


@pytest.fixture
def small(generator):
    """Every tensor random, so that no two can be exchanged unseen."""
    made = Generator(CONFIG, seed=1)
    for tensor in made.state_dict().values():
        tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
    return made


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def reference(g, ws):
    """The layout read by its own names and nothing else: grouped kernels, explicit zeros, one layer at a time."""

    def affine(key, w):
        weight = g[f"{key}.modulation.weight"]
        return F.linear(w, weight / math.sqrt(weight.shape[1]), g[f"{key}.modulation.bias"])

    def kernel(key, w):  # [N, O, I, K, K]
        weight = g[f"{key}.weight"]
        return weight / math.sqrt(weight[0, 0].numel()) * affine(key, w)[:, None, :, None, None]

    def resample(x, fir, up, before, after):
        n, c, h, w = x.shape
        wide = x.new_zeros(n, c, up * h, up * w)
        wide[:, :, ::up, ::up] = x
        return torch.cat([F.conv2d(F.pad(wide[:, i : i + 1], (before, after) * 2), fir[None, None]) for i in range(c)], dim=1)

    def styled(x, key, w, noise):
        k = kernel(f"{key}.conv", w)
        k = k / (k.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
        if f"{key}.conv.blur.kernel" in g:
            y = torch.cat([F.conv_transpose2d(x[n : n + 1], k[n].transpose(0, 1), stride=2) for n in range(len(x))])
            y = resample(y, g[f"{key}.conv.blur.kernel"], 1, 1, 1)
        else:
            y = torch.cat([F.conv2d(x[n : n + 1], k[n], padding=1) for n in range(len(x))])
        y = y + g[f"{key}.noise.weight"] * g[f"noises.noise_{noise}"] + g[f"{key}.activate.bias"][:, None, None]
        return torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)

    def rgb(x, key, w):
        k = kernel(f"{key}.conv", w)
        return torch.cat([F.conv2d(x[n : n + 1], k[n]) for n in range(len(x))]) + g[f"{key}.bias"]

    x = styled(g["input.input"].repeat(len(ws), 1, 1, 1), "conv1", ws[:, 0], 0)
    image = rgb(x, "to_rgb1", ws[:, 1])
    for i in range(ws.shape[1] // 2 - 1):
        x = styled(x, f"convs.{2 * i}", ws[:, 2 * i + 1], 2 * i + 1)
        x = styled(x, f"convs.{2 * i + 1}", ws[:, 2 * i + 2], 2 * i + 2)
        image = resample(image, g[f"to_rgbs.{i}.upsample.kernel"], 2, 2, 1) + rgb(x, f"to_rgbs.{i}", ws[:, 2 * i + 3])
    return image


def test_our_images_are_those_of_the_layout(small, generator):
    ws = torch.randn(2, 6, 24, generator=generator)
    with torch.no_grad():
        assert_close(small.synthesis(ws, "const"), reference(to_rosinality(small), ws), atol=1e-4, rtol=1e-4)


def test_names_and_shapes_are_the_published_ones(small):
    g = to_rosinality(small)
    want = {
        "style.3.weight": (24, 24), "input.input": (1, 7, 4, 4), "conv1.conv.weight": (1, 7, 7, 3, 3),
        "conv1.conv.modulation.bias": (7,), "conv1.noise.weight": (1,), "conv1.activate.bias": (7,),
        "to_rgb1.bias": (1, 3, 1, 1), "to_rgb1.conv.weight": (1, 3, 7, 1, 1), "convs.0.conv.weight": (1, 6, 7, 3, 3),
        "convs.0.conv.blur.kernel": (4, 4), "convs.2.conv.modulation.weight": (6, 24), "to_rgbs.1.upsample.kernel": (4, 4),
        "to_rgbs.1.bias": (1, 3, 1, 1), "to_rgbs.1.conv.modulation.weight": (5, 24), "noises.noise_0": (1, 1, 4, 4),
        "noises.noise_2": (1, 1, 8, 8), "noises.noise_4": (1, 1, 16, 16),
    }  # fmt: skip
    assert {key: tuple(g[key].shape) for key in want} == want
    assert "convs.1.conv.blur.kernel" not in g and not any(key.startswith("noises.noise_5") for key in g)
    assert g["convs.0.conv.blur.kernel"].sum() == 4


def test_the_layout_round_trips_exactly(small):
    g = to_rosinality(small)
    back = from_rosinality({"g_ema": g, "latent_avg": small.mapping.w_avg, "g_optim": {}})
    assert same(back, small)
    again = to_rosinality(back)
    assert again.keys() == g.keys() and all(torch.equal(again[key], g[key]) for key in g)


@pytest.mark.parametrize("config", [CONFIG, GeneratorConfig(8, (3, 9), 16, 16, 8), GeneratorConfig(64, (9, 8, 7, 6, 5), 8, 8, 2)])
def test_sizes_come_from_the_keys(config):
    assert infer_config(to_rosinality(Generator(config))) == config


def test_a_mean_latent_that_is_missing_is_estimated_the_same_each_time(small):
    first, second = (from_rosinality({"g_ema": to_rosinality(small)}) for _ in range(2))
    assert torch.equal(first.mapping.w_avg, second.mapping.w_avg)
    fresh = small.mapping.w(torch.randn(4096, 24, generator=torch.Generator().manual_seed(9))).mean(dim=0)
    assert (first.mapping.w_avg - fresh).detach().abs().max() < 0.1


def test_a_conditional_generator_is_refused(small):
    g = to_rosinality(small) | {"style.1.weight": torch.zeros(24, 48)}
    with pytest.raises(UserError, match="24 x 48, so this generator is conditional"):
        from_rosinality(g)


@pytest.mark.parametrize(
    "change, word",
    [
        ({"conv1.noise.weight": None}, "1 are missing and 0 unknown, such as conv1.noise.weight"),
        ({"extra": torch.zeros(1)}, "0 are missing and 1 unknown, such as extra"),
        ({"convs.1.conv.weight": None}, "needs convs.1.conv.weight; it is missing"),
        ({"convs.2.conv.weight": torch.zeros(1, 5, 5, 3, 3)}, r"convs.2.conv.weight needs shape \(1, 5, 6, 3, 3\); got"),
        ({"convs.0.conv.blur.kernel": torch.full((4, 4), 0.25)}, r"needs the filter \[1, 3, 3, 1\]"),
        ({"input.input": None}, "g_ema or input.input"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(small, change, word):
    g = {key: value for key, value in (to_rosinality(small) | change).items() if value is not None}
    with pytest.raises(UserError, match=word):
        from_rosinality(g)


def test_what_the_layout_cannot_say_is_not_written():
    with pytest.raises(UserError, match="lr_mul"):
        to_rosinality(Generator(GeneratorConfig(8, (3, 3), 8, 8, 2, lr_mul=0.1)))
    with pytest.raises(UserError, match="z_dim"):
        to_rosinality(Generator(GeneratorConfig(8, (3, 3), 16, 8, 2)))


def test_our_file_round_trips_exactly(small, tmp_path):
    path = tmp_path / "g.safetensors"
    save_generator(path, small, {"steps": 7})
    assert same(load_generator(path, sha256(path)), small)
    assert read_metadata(path) == {"kind": "generator", "config": CONFIG.asdict(), "steps": 7}


def test_half_precision_storage_gives_nearly_the_same_image(small, tmp_path, generator):
    save_generator(tmp_path / "g.safetensors", small, dtype=torch.float16)
    save_generator(tmp_path / "full.safetensors", small)
    assert (tmp_path / "g.safetensors").stat().st_size < 0.6 * (tmp_path / "full.safetensors").stat().st_size
    ws = torch.randn(2, 6, 24, generator=generator)
    with torch.no_grad():
        want, got = small.synthesis(ws, "const"), load_generator(tmp_path / "g.safetensors").synthesis(ws, "const")
    assert (got - want).abs().max() < 0.01 * want.std()


def test_a_torch_file_in_the_layout_is_loaded(small, tmp_path):
    save_rosinality(tmp_path / "g.pt", small)
    assert same(load_generator(tmp_path / "g.pt"), small)


def test_a_torch_file_of_the_old_format_is_loaded(small, tmp_path):
    checkpoint = {"g_ema": to_rosinality(small), "latent_avg": small.mapping.w_avg}
    torch.save(checkpoint, tmp_path / "g.pt", _use_new_zipfile_serialization=False)
    assert same(load_generator(tmp_path / "g.pt"), small)


class Trap:
    """Would make a file if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("old_format", [None, False, True])
def test_code_in_a_file_is_never_run(tmp_path, old_format):
    path, mark = tmp_path / "g.pt", tmp_path / "mark"
    if old_format is None:
        path.write_bytes(pickle.dumps(Trap(mark)))
    else:
        torch.save({"g_ema": Trap(mark)}, path, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(UserError, match="asks for io.open, which no generator needs" if old_format is None else "plain tensors only"):
        load_generator(path)
    assert not mark.exists()


def test_files_that_are_no_generator_are_refused(tmp_path):
    path, archive = tmp_path / "g.pt", io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "hello")
    cases = [(b"<!DOCTYPE html>", "web page"), (b"", "cut short"), (archive.getvalue(), "archive with readme.txt inside, so unpack it first"), (b"PK\x03\x04", "cut short")]
    for content, word in cases:
        path.write_bytes(content)
        with pytest.raises(UserError, match=word):
            load_generator(path)
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="holds a list"):
        load_generator(path)
    write_weights(path, {}, {"kind": "clip"})
    with pytest.raises(UserError, match="holds clip"):
        load_generator(path)
    with pytest.raises(UserError, match="there is none"):
        load_generator(tmp_path / "none.pt")


def test_a_file_with_a_tensor_too_few_is_refused(small, tmp_path):
    tensors = small.state_dict()
    del tensors["synthesis.const"]
    write_weights(tmp_path / "g.safetensors", tensors, {"kind": "generator", "config": CONFIG.asdict()})
    with pytest.raises(UserError, match="synthesis.const"):
        load_generator(tmp_path / "g.safetensors")


def test_names_that_are_taken_are_refused(small, tmp_path):
    with pytest.raises(UserError, match="got config"):
        save_generator(tmp_path / "g.safetensors", small, {"config": 1})
