import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nvidia_files import Module, random_generator, stand_ins, tensorflow_pickle, torch_pickle
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.stylegan2.checkpoints import load_generator, save_generator, save_rosinality
from iplkit.stylegan2.convert import convert
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.nvidia import from_tensorflow_layout, from_torch_layout, load_nvidia_pickle, to_tensorflow_layout, to_torch_layout
from iplkit.stylegan2.nvidia_layout import our_shapes, tensorflow_places, torch_filters, torch_places
from iplkit.weights import read_metadata, sha256

FFHQ = GeneratorConfig(1024, (512, 512, 512, 512, 512, 256, 128, 64, 32), n_mlp=8)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.allclose(a[name], b[name], atol=1e-6) for name in a)


def written(tmp_path, content, name="g.pkl"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def correlate(x, kernel, pad):
    """One image by its definition: slide, multiply, add."""
    c, h, w = x.shape
    k = kernel.shape[-1]
    wide = torch.zeros(c, h + 2 * pad, w + 2 * pad, dtype=x.dtype)
    wide[:, pad : pad + h, pad : pad + w] = x
    out = torch.zeros(kernel.shape[0], h + 2 * pad - k + 1, w + 2 * pad - k + 1, dtype=x.dtype)
    for i in range(k):
        for j in range(k):
            out += torch.einsum("oc,chw->ohw", kernel[:, :, i, j], wide[:, i : i + out.shape[1], j : j + out.shape[2]])
    return out


def stretched(x):
    c, h, w = x.shape
    wide = torch.zeros(c, 2 * h - 1, 2 * w - 1, dtype=x.dtype)
    wide[:, ::2, ::2] = x
    return wide


def low_pass(x, before, after):
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 4  # gain 4 in all, for the zeros between
    wide = F.pad(x, (before, after, before, after))
    rows = sum(line[k] * wide[:, k : wide.shape[1] - 3 + k] for k in range(4))
    return sum(line[k] * rows[:, :, k : rows.shape[2] - 3 + k] for k in range(4))


def tensorflow_reference(g, z, size, lr_mul):
    """The paper's generator from TensorFlow's names, one image and one layer at a time, in double precision."""
    g = {name: torch.tensor(np.asarray(t), dtype=torch.float64) for name, t in g.items()}
    x = z / (z.square().mean() + 1e-8).sqrt()
    for i in range(sum("mapping/Dense" in name for name in g) // 2):
        weight, bias = g[f"mapping/Dense{i}/weight"] * lr_mul / math.sqrt(len(x)), g[f"mapping/Dense{i}/bias"] * lr_mul
        x = F.leaky_relu(x @ weight + bias, 0.2) * math.sqrt(2)
    w = x

    def layer(x, name, noise=None, up=False):
        mod = g[f"{name}/mod_weight"]
        style = w @ (mod / math.sqrt(mod.shape[0])) + g[f"{name}/mod_bias"] + 1
        weight = g[f"{name}/weight"]
        kernel = weight.permute(3, 2, 0, 1) / math.sqrt(weight[..., 0].numel()) * style[None, :, None, None]
        if noise is None:
            return correlate(x, kernel, 0) + g[f"{name}/bias"][:, None, None]
        kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        y = low_pass(correlate(stretched(x), kernel, 2), 1, 1) if up else correlate(x, kernel, 1)
        y = y + g[f"synthesis/noise{noise}"][0, 0] * g[f"{name}/noise_strength"] + g[f"{name}/bias"][:, None, None]
        return F.leaky_relu(y, 0.2) * math.sqrt(2)

    x = layer(g["synthesis/4x4/Const/const"][0], "synthesis/4x4/Conv", 0)
    image, noise, side = layer(x, "synthesis/4x4/ToRGB"), 1, 8
    while side <= size:
        block = f"synthesis/{side}x{side}"
        x = layer(layer(x, f"{block}/Conv0_up", noise, up=True), f"{block}/Conv1", noise + 1)
        image = low_pass(stretched(image), 2, 2) + layer(x, f"{block}/ToRGB")
        noise, side = noise + 2, 2 * side
    return image


@pytest.mark.parametrize("size, channels", [(32, (7, 6, 5, 4)), (64, (6, 6, 5, 4, 3))])
@pytest.mark.parametrize("make", [torch_pickle, tensorflow_pickle])
def test_a_pickle_draws_what_the_papers_definition_draws(tmp_path, make, size, channels):
    source = random_generator(size, channels)
    generator = load_generator(written(tmp_path, make(source)))
    z = torch.randn(2, 12, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    with torch.no_grad():
        got = generator(z.float(), noise_mode="const")
    want = torch.stack([tensorflow_reference(to_tensorflow_layout(source), one, size, 0.01) for one in z])
    assert want.std() > 0.1
    assert_close(got, want.float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("make, layout", [(torch_pickle, "NVIDIA, torch"), (tensorflow_pickle, "NVIDIA, TensorFlow")])
def test_every_protocol_is_read_and_sizes_come_from_the_file(tmp_path, make, layout, protocol):
    source = random_generator(64, (9, 8, 7, 6, 5), z_dim=6, w_dim=11, n_mlp=2, lr_mul=0.02)
    found, said = load_nvidia_pickle(written(tmp_path, make(source, protocol)))
    assert found.config == source.config and same(found, source)
    assert said["layout"] == layout and said["conv_clamp"] == (256 if make is torch_pickle else None)


def test_the_layouts_round_trip_in_every_direction(tmp_path):
    source = random_generator(32, z_dim=10, w_dim=10)
    assert same(from_torch_layout(to_torch_layout(source)), source)
    assert same(from_tensorflow_layout(to_tensorflow_layout(source)), source)
    path = written(tmp_path, torch_pickle(source))
    for n, layout in enumerate(("ours", "rosinality", "nvidia", "ours")):
        made = tmp_path / f"{n}.{'pt' if layout == 'rosinality' else 'safetensors'}"
        convert(path, made, layout)
        path = made
    assert same(load_generator(path), source)


def test_a_conversion_keeps_where_it_came_from(tmp_path):
    path = written(tmp_path, tensorflow_pickle(random_generator(), conv_clamp=256))
    recipe = convert(path, tmp_path / "g.safetensors")
    want = {"source": "g.pkl", "sha256": sha256(path), "layout": "NVIDIA, TensorFlow", "network": "Gs", "conv_clamp": 256}
    assert read_metadata(tmp_path / "g.safetensors")["recipe"] == want
    assert recipe["config"]["size"] == 32


def test_a_conversion_refuses_to_write_over_its_source(tmp_path):
    save_generator(tmp_path / "g.safetensors", random_generator())
    with pytest.raises(UserError, match="needs a file of its own"):
        convert(tmp_path / "g.safetensors", tmp_path / "g.safetensors")
    with pytest.raises(UserError, match="ends in .pt"):
        convert(tmp_path / "g.safetensors", tmp_path / "h.safetensors", "rosinality")
    with pytest.raises(UserError, match="one of ours, nvidia, rosinality"):
        convert(tmp_path / "g.safetensors", tmp_path / "h.safetensors", "keras")


def test_optimizer_state_beside_a_generator_is_ignored(tmp_path):
    source = random_generator(32, z_dim=10, w_dim=10)
    save_rosinality(tmp_path / "g.pt", source)
    checkpoint = torch.load(tmp_path / "g.pt", weights_only=True)
    torch.save({"g_ema": checkpoint["g_ema"], "g_optim": {"state": {0: {"exp_avg": torch.ones(3)}}}}, tmp_path / "nada.pt")
    loaded = load_generator(tmp_path / "nada.pt")
    loaded.mapping.w_avg.copy_(source.mapping.w_avg)
    assert same(loaded, source)


@pytest.mark.parametrize("size, channels", [(32, (3,) * 4), (64, (3,) * 5), (128, (3,) * 6), (256, (3,) * 7), (512, (3,) * 8), (1024, (2,) * 9)])
def test_every_size_of_the_book_is_read(tmp_path, size, channels):
    source = random_generator(size, channels, 4, 4, 2)
    assert load_generator(written(tmp_path, torch_pickle(source))).config == source.config


def test_the_layout_of_ffhq_is_known_without_a_file():
    """Shapes as published: 18 rows, config-f, 30.37 million weights and 2.80 million numbers of noise."""
    shapes = our_shapes(FFHQ)
    noise = sum(math.prod(s) for name, s in shapes.items() if name.endswith("noise_const"))
    assert noise == 16 + 2 * sum(4**k for k in range(3, 11)) and len(torch_filters(FFHQ)) == 9 + 17
    assert sum(math.prod(s) for s in shapes.values()) - noise - 512 == 30_370_060
    places = tensorflow_places(FFHQ)
    want = {"synthesis/8x8/Conv0_up/weight": (3, 3, 512, 512), "synthesis/128x128/Conv1/weight": (3, 3, 256, 256), "mapping/Dense7/weight": (512, 512)}
    want |= {"synthesis/1024x1024/ToRGB/weight": (1, 1, 32, 3), "synthesis/1024x1024/ToRGB/mod_weight": (512, 32), "synthesis/noise16": (1, 1, 1024, 1024)}
    want |= {"synthesis/512x512/Conv0_up/mod_bias": (128,), "synthesis/4x4/Const/const": (1, 512, 4, 4), "dlatent_avg": (512,)}
    assert {key: places[key].shape(shapes[places[key].ours]) for key in want} == want
    places = torch_places(FFHQ)
    want = {"synthesis.b4.const": (512, 4, 4), "synthesis.b1024.conv0.weight": (32, 64, 3, 3), "synthesis.b64.torgb.affine.weight": (512, 512)}
    assert {key: places[key].shape(shapes[places[key].ours]) for key in want} == want
    assert "synthesis.b4.conv0.weight" not in places and {p.ours for p in places.values()} == set(shapes)


def test_the_table_of_shapes_is_that_of_the_network():
    config = GeneratorConfig(64, (9, 8, 7, 6, 5), 4, 6, 3)
    assert our_shapes(config) == {name: tuple(t.shape) for name, t in Generator(config).state_dict().items()}


def test_shapes_on_their_side_are_those_of_their_tensors():
    source = random_generator()
    shapes = our_shapes(source.config)
    for places, theirs in ((torch_places, to_torch_layout(source)), (tensorflow_places, to_tensorflow_layout(source))):
        for key, place in places(source.config).items():
            assert tuple(theirs[key].shape) == place.shape(shapes[place.ours])
            assert_close(place.back(theirs[key]), source.state_dict()[place.ours])


@pytest.mark.parametrize("make, options, words", [
    (torch_pickle, {"c_dim": 10}, "conditional"),
    (torch_pickle, {"img_channels": 1}, "three color channels"),
    (torch_pickle, {"architecture": "resnet"}, "architecture skip"),
    (tensorflow_pickle, {"label_size": 10}, "conditional"),
    (tensorflow_pickle, {"architecture": "orig"}, "architecture skip"),
    (tensorflow_pickle, {"resample_kernel": [1, 1]}, "filter"),
    (tensorflow_pickle, {"nonlinearity": "relu"}, "leaky ReLU"),
    (tensorflow_pickle, {"mapping_lrmul": float("nan")}, "learning rate"),
    (tensorflow_pickle, {"use_noise": False}, "noise inputs"),
])  # fmt: skip
def test_another_generator_is_refused_in_one_sentence(tmp_path, make, options, words):
    with pytest.raises(UserError, match=words) as refusal:
        load_generator(written(tmp_path, make(random_generator(), **options)))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("change, words", [
    ({"mapping.embed.weight": torch.ones(2, 2)}, "conditional"),
    ({"synthesis.input.freqs": torch.ones(2)}, "StyleGAN3"),
    ({"synthesis.b8.skip.weight": torch.ones(2)}, "residual"),
    ({"synthesis.b8.resample_filter": torch.full((4, 4), 1 / 16)}, "another one"),
    ({"synthesis.b8.conv1.weight": None}, "layers at 4, 8, 16"),
    ({"synthesis.b8.conv0.bias": None}, "1 are missing and 0 unknown, such as synthesis.b8.conv0.bias"),
    ({"synthesis.b8.conv0.extra": torch.ones(1)}, "0 are missing and 1 unknown"),
    ({"synthesis.b8.conv0.bias": torch.ones(3)}, r"needs shape \(6,\); got \(3,\)"),
    ({"synthesis.b8.conv0.bias": torch.full((6,), float("nan"))}, "finite numbers"),
    ({"synthesis.b8.conv1.weight": torch.ones(1).expand(10**8, 1, 1, 1)}, "at most 400,000,000 numbers"),
])  # fmt: skip
def test_a_layout_that_does_not_fit_is_refused(change, words):
    theirs = {key: t for key, t in (to_torch_layout(random_generator()) | change).items() if t is not None}
    with pytest.raises(UserError, match=words):
        from_torch_layout(theirs)


def test_the_first_stylegan_is_refused_by_name():
    theirs = to_tensorflow_layout(random_generator()) | {"synthesis/4x4/Const/StyleMod/weight": torch.ones(2, 2)}
    with pytest.raises(UserError, match="first StyleGAN"):
        from_tensorflow_layout(theirs)


@pytest.mark.parametrize("size", [32, 64, 512])
def test_the_sizes_of_the_notebooks_are_read_from_every_layout_and_draw(tmp_path, size):
    source = random_generator(size, (3,) * (size.bit_length() - 2), 6, 6, 2)
    save_rosinality(tmp_path / "g.pt", source)
    paths = [tmp_path / "g.pt", written(tmp_path, torch_pickle(source), "torch.pkl"), written(tmp_path, tensorflow_pickle(source), "tf.pkl")]
    for path in paths:
        found = load_generator(path)
        assert found.config == source.config and found.num_ws == 2 * size.bit_length() - 4
        with torch.no_grad():
            assert_close(found(torch.ones(1, 6), 0.7, noise_mode="const"), source(torch.ones(1, 6), 0.7, noise_mode="const"), atol=1e-4, rtol=1e-4)


def of_modules(tree, options=()):
    """A pickle of torch with this network as G_ema: a name, tensors, and networks inside, each the same."""
    with stand_ins() as (_, _, rebuild):

        def module(name, tensors, inside):
            state = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 32, "img_channels": 3} | dict(options)
            return Module(rebuild, name, state, {key: module(*part) for key, part in inside.items()}, {}, {k: torch.ones(s) for k, s in tensors.items()})

        return pickle.dumps({"G_ema": module(*tree)}, 4)


STYLEGAN3 = ("Generator", {}, {
    "mapping": ("MappingNetwork", {"w_avg": (4,)}, {}),
    "synthesis": ("SynthesisNetwork", {}, {"input": ("SynthesisInput", {"freqs": (4, 2), "phases": (4,)}, {}), "L0_36_4": ("SynthesisLayer", {"bias": (4,)}, {})}),
})  # fmt: skip
DISCRIMINATOR = ("Discriminator", {}, {"b32": ("DiscriminatorBlock", {"resample_filter": (4, 4)}, {})})


@pytest.mark.parametrize("content, words", [
    (of_modules(STYLEGAN3), "StyleGAN3"), (of_modules(DISCRIMINATOR), "needs mapping.fc0.weight"), (pickle.dumps({"D": 1}), "one called G_ema"),
    (torch_pickle(random_generator(), img_resolution=48), "says, 48 px; its layers draw 32 px"), (tensorflow_pickle(random_generator(), resolution=48), "says, 48 px; its layers draw 32 px"),
])  # fmt: skip
def test_a_pickle_of_another_network_is_refused_in_one_sentence(tmp_path, content, words):
    with pytest.raises(UserError, match=words) as refusal:
        load_generator(written(tmp_path, content))
    assert "\n" not in str(refusal.value) and "g.pkl" in str(refusal.value)


@pytest.mark.parametrize("change, words", [
    ({"input.input": torch.ones(1, 3, 8, 4)}, r"input.input needs shape \(1, 3, 4, 4\); got \(1, 3, 8, 4\)"),
    ({"noises.noise_2": torch.ones(1, 1, 12, 12)}, "noises.noise_2 needs shape"), ({"style.1.weight": torch.ones(6, 9)}, "conditional"),
    ({"to_rgb1.conv.weight": torch.ones(1, 1, 3, 1, 1)}, "needs shape"),
])  # fmt: skip
def test_an_odd_or_conditional_generator_in_rosinalitys_layout_is_refused(tmp_path, change, words):
    save_rosinality(tmp_path / "g.pt", random_generator(32, (3,) * 4, 6, 6, 2))
    checkpoint = torch.load(tmp_path / "g.pt", weights_only=True)
    torch.save({"g_ema": checkpoint["g_ema"] | change}, tmp_path / "g.pt")
    with pytest.raises(UserError, match=words):
        load_generator(tmp_path / "g.pt")
