"""Published encoders: the layout of their files, files that are broken, and the passes of ReStyle."""

import argparse

import pytest
import torch
from iplkit.invert.tiny_published import ROWS, SIDE, SIZE, SMALL, WIDTH, checkpoint, small_decoder, small_net
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.extractors.arcface import ArcFace
from iplkit.invert.encoders import load_encoder
from iplkit.invert.published_nets import DESIGNS, KINDS, PublishedNet, ScaledLinear
from iplkit.nets.encoder import Encoder, EncoderConfig
from iplkit.nets.encoder import load_encoder as load_world_encoder
from iplkit.nets.encoder import save_encoder as save_world_encoder
from iplkit.stylegan2.checkpoints import to_rosinality
from iplkit.weights import write_weights

@pytest.fixture
def file(tmp_path):
    def write(content):
        torch.save(content, tmp_path / "encoder.pt")
        return tmp_path / "encoder.pt"

    return write


def faces(n=2, side=SIDE, seed=0):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# layout ------------------------------------------------------------------------------------------------------------------

LAYOUT = {  # name: channels, tensors, millions of weights
    "GradualStyleEncoder": (3, 621, 267.136704),
    "Encoder4Editing": (3, 621, 267.136704),
    "SingleStyleCodeEncoder": (3, 387, 31.212736),
    "BackboneEncoderUsingLastLayerIntoW": (3, 387, 31.212736),
    "BackboneEncoder": (6, 565, 205.585792),
    "ProgressiveBackboneEncoder": (6, 565, 205.585792),
    "ResNetBackboneEncoder": (6, 397, 195.928128),
    "ResNetProgressiveBackboneEncoder": (6, 397, 195.928128),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_at_real_size_a_net_has_the_tensors_of_the_published_file(name):
    channels, tensors, millions = LAYOUT[name]
    with torch.device("meta"):
        net = PublishedNet(DESIGNS[name], 18, channels)
    assert len(net.state_dict()) == tensors
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=1e-6)


def test_the_keys_are_those_of_the_published_files():
    with torch.device("meta"):
        shapes = {n: tuple(t.shape) for n, t in PublishedNet(DESIGNS["GradualStyleEncoder"], 18).state_dict().items()}
    assert shapes["input_layer.0.weight"] == (64, 3, 3, 3) and shapes["input_layer.2.weight"] == (64,)
    shortcuts = {int(n.split(".")[1]) for n in shapes if "shortcut_layer.0" in n}
    assert shortcuts == {3, 7, 21}
    assert shapes["body.7.res_layer.5.fc1.weight"] == (16, 256, 1, 1) and shapes["body.23.res_layer.3.weight"] == (512, 512, 3, 3)
    steps = {row: sorted(int(n.split(".")[3]) for n in shapes if n.startswith(f"styles.{row}.convs.") and n.endswith("weight")) for row in (0, 2, 3, 6, 7, 17)}
    assert steps[0] == steps[2] == [0, 2, 4, 6] and steps[3] == steps[6] == [0, 2, 4, 6, 8] and steps[7] == steps[17] == [0, 2, 4, 6, 8, 10]
    assert shapes["styles.17.linear.weight"] == (512, 512) and shapes["styles.17.linear.bias"] == (512,)
    assert shapes["latlayer1.weight"] == (512, 256, 1, 1) and shapes["latlayer2.weight"] == (512, 128, 1, 1)


def test_the_trunk_is_arcfaces():
    with torch.device("meta"):
        ours = {n: t.shape for n, t in PublishedNet(DESIGNS["GradualStyleEncoder"], 18).state_dict().items() if n.startswith(("input_layer", "body"))}
        arcface = {n: t.shape for n, t in ArcFace.build().state_dict().items() if not n.startswith("output_layer")}
    assert ours == arcface


@pytest.mark.parametrize("name", ["ResNetBackboneEncoder", "ResNetProgressiveBackboneEncoder"])
def test_the_resnet_files_number_their_blocks_through(name):
    with torch.device("meta"):
        names = set(PublishedNet(DESIGNS[name], 14, 6).state_dict())
    assert {"conv1.weight", "bn1.running_mean", "relu.weight", "body.15.conv2.weight", "body.3.downsample.1.bias", "styles.13.linear.bias"} <= names
    assert not any(n.startswith("body.16") for n in names) and "body.0.downsample.0.weight" not in names


# what the nets compute ------------------------------------------------------------------------------------------------------


def slow_rows(net, x):
    """Rows of a pyramid, written out."""
    x = net.input_layer(x)
    maps = []
    for index, unit in enumerate(net.body):
        x = unit(x)
        maps += [x] if index in (2, 4, 5) else []
    c1, c2, c3 = maps
    up = lambda a, b: torch.nn.functional.interpolate(a, size=b.shape[2:], mode="bilinear", align_corners=True)  # noqa: E731
    p2 = up(c3, c2) + net.latlayer1(c2)
    p1 = up(p2, c1) + net.latlayer2(c1)
    out = []
    for row, head in enumerate(net.styles):
        y = c3 if row < 3 else p2 if row < 7 else p1
        for conv in head.convs:
            y = conv(y)
        out.append(y[:, :, 0, 0] @ head.linear.weight.T / WIDTH**0.5 + head.linear.bias)
    return out


@torch.no_grad()
def test_psp_says_each_row_from_its_level_of_the_pyramid():
    net = small_net("GradualStyleEncoder", 3)
    assert_close(net(faces()), torch.stack(slow_rows(net, faces()), 1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_e4e_says_one_w_and_what_each_row_adds():
    net = small_net("Encoder4Editing", 3)
    rows = slow_rows(net, faces())
    assert_close(net(faces()), torch.stack([rows[0]] + [rows[0] + delta for delta in rows[1:]], 1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name, code", [("BackboneEncoder", "rows"), ("ProgressiveBackboneEncoder", "deltas")])
def test_restyle_says_all_rows_from_the_last_map(name, code):
    net = small_net(name, 6)
    x = torch.cat([faces(), faces(seed=1)], 1)
    last = net.body(net.input_layer(x))
    rows = torch.stack([head(last) for head in net.styles], 1)
    wanted = rows if code == "rows" else torch.cat([rows[:, :1], rows[:, :1] + rows[:, 1:]], 1)
    assert_close(net(x), wanted, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_one_w_is_repeated_in_all_rows():
    net = small_net("SingleStyleCodeEncoder", 3)
    mean = net.body(net.input_layer(faces())).mean((2, 3))
    assert isinstance(net.linear, ScaledLinear)
    assert_close(net(faces()), (mean @ net.linear.weight.T / WIDTH**0.5 + net.linear.bias)[:, None].expand(-1, ROWS, -1))


def test_another_input_is_refused():
    with pytest.raises(UserError, match=r"\[N, 6, 64, 64\]; got \[2, 3, 64, 64\]"):
        small_net("BackboneEncoder", 6)(faces())


# files ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_file_comes_back_as_the_encoder_and_generator_that_made_it(file, kind):
    content = checkpoint(kind)
    encoder = load_encoder(file(content), sizes=SMALL)
    assert encoder.about == {"kind": kind, "encoder_type": KINDS[kind], "generator": "file", "latent_avg": "file", "size_known": True}
    for part, prefix in ((encoder.net.state_dict(), "encoder."), (to_rosinality(encoder.generator), "decoder.")):
        assert {prefix + n for n in part} == {n for n in content["state_dict"] if n.startswith(prefix)}
        assert all(torch.equal(t, content["state_dict"][prefix + n]) for n, t in part.items())
    assert torch.equal(encoder.latent_avg, content["latent_avg"])
    assert not encoder.training and not any(p.requires_grad for p in encoder.parameters())
    assert encoder.iterative == kind.startswith("restyle")


@pytest.mark.parametrize("name", ["SingleStyleCodeEncoder", "BackboneEncoderUsingLastLayerIntoW"])
def test_an_encoder_of_one_w_is_loaded_too(file, name):
    ws = load_encoder(file(checkpoint("e4e", name)), sizes=SMALL)(faces())
    assert (ws == ws[:, :1]).all()


def test_files_of_old_torch_and_options_in_a_namespace_are_read(tmp_path):
    content = checkpoint("psp")
    content["opts"] = argparse.Namespace(**content["opts"])
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert load_encoder(tmp_path / "old.pt", sizes=SMALL).about["kind"] == "psp"


def test_options_that_old_files_lack_are_taken_from_the_caller(file):
    content = checkpoint("psp")
    content["opts"] = {"output_size": SIZE}
    with pytest.raises(UserError, match="does not say whether it is psp, e4e, restyle-psp, restyle-e4e, whose tensors have the same names"):
        load_encoder(file(content), sizes=SMALL)
    as_psp, as_e4e = (load_encoder(file(content), kind=kind, sizes=SMALL)(faces()) for kind in ("psp", "e4e"))
    assert (as_psp[:, 0] == as_e4e[:, 0]).all() and (as_psp[:, 1:] - as_e4e[:, 1:]).abs().min() > 0


def test_counters_of_batches_may_be_missing(file):
    content = checkpoint("e4e")
    content["state_dict"] = {n: t for n, t in content["state_dict"].items() if not n.endswith("num_batches_tracked")}
    assert load_encoder(file(content), sizes=SMALL).about["kind"] == "e4e"


@pytest.mark.parametrize("shape", [(ROWS, WIDTH), (1, WIDTH), (WIDTH,), (1, ROWS, WIDTH)])
def test_the_mean_code_comes_in_all_its_shapes(file, shape):
    mean = torch.randn(WIDTH, generator=torch.Generator().manual_seed(8))
    encoder = load_encoder(file(checkpoint("e4e", latent_avg=mean.expand(shape).clone())), sizes=SMALL)
    assert torch.equal(encoder.latent_avg, mean.expand(ROWS, -1)) and encoder.about["latent_avg"] == "file"
    assert_close(encoder.generator.mapping.w_avg, mean)


def test_a_missing_mean_code_is_estimated_from_the_generator_and_it_is_said(file):
    content = checkpoint("e4e")
    del content["latent_avg"]
    encoder = load_encoder(file(content), sizes=SMALL)
    assert encoder.about["latent_avg"] == "estimated from 10000 draws"
    mean = small_decoder().mapping.w(torch.randn(50_000, WIDTH, generator=torch.Generator().manual_seed(1))).mean(0)
    spread = small_decoder().mapping.w(torch.randn(1000, WIDTH, generator=torch.Generator().manual_seed(2))).std(0)
    assert ((encoder.latent_avg - mean).abs() < 0.06 * spread).all()


def test_an_encoder_that_says_whole_codes_gets_no_mean_code(file):
    content = checkpoint("psp")
    content["opts"]["start_from_latent_avg"] = False
    encoder = load_encoder(file(content), sizes=SMALL)
    assert not encoder.latent_avg.any() and encoder.about["latent_avg"].startswith("none")


def test_a_given_generator_stands_in_for_the_one_in_the_file(file):
    content = checkpoint("restyle-psp")
    content["state_dict"] = {n: t for n, t in content["state_dict"].items() if n.startswith("encoder.")}
    with pytest.raises(UserError, match="has no generator"):
        load_encoder(file(content), sizes=SMALL)
    assert load_encoder(file(content), small_decoder(), sizes=SMALL).about["generator"] == "given"


def changed(kind="e4e", **state):
    """A checkpoint whose state has other tensors; None takes one away."""
    content = checkpoint(kind)
    content["state_dict"] = {n: t for n, t in (content["state_dict"] | state).items() if t is not None}
    return content


def with_opts(kind="e4e", **opts):
    content = checkpoint(kind)
    content["opts"] = {n: v for n, v in (content["opts"] | opts).items() if v is not None}
    return content


class Dangerous:
    def __reduce__(self):
        return print, ("run",)


BROKEN = {
    "head missing": (lambda: changed(**{"encoder.styles.9.linear.bias": None}), "1 missing, such as styles.9.linear.bias"),
    "tensor unknown": (lambda: changed(**{"encoder.extra": torch.zeros(1)}), "1 unknown, such as extra"),
    "other shape": (lambda: changed(**{"encoder.latlayer1.bias": torch.zeros(3)}), "1 of another shape, such as latlayer1.bias"),
    "not finite": (lambda: changed(**{"encoder.latlayer1.bias": torch.full((WIDTH,), torch.nan)}), "1 not finite, such as latlayer1.bias"),
    "no encoder": (lambda: {"state_dict": {"decoder.x": torch.zeros(1)}}, "names begin with encoder.; it has decoder.x"),
    "a generator": (lambda: {"g_ema": {}, "latent_avg": torch.zeros(WIDTH)}, "it holds a generator alone"),
    "a list": (lambda: [1, 2], "it holds something else"),
    "runs code": (lambda: checkpoint("e4e", extra=Dangerous()), "objects that could run code"),
    "unknown type": (lambda: with_opts(encoder_type="MyEncoder"), "it holds 'MyEncoder'"),
    "size is none": (lambda: with_opts(stylegan_size="large"), "a power of 2 in its options; it says 'large'"),
    "other number of heads": (lambda: with_opts(stylegan_size=128), "12 heads for its generator of 128 px; it has 10"),
    "size unknown": (lambda: with_opts(stylegan_size=None), "18 heads for its generator of 1024 px; it has 10"),
    "options are text": (lambda: checkpoint("e4e", opts="--size 64"), r"options \(opts\) with names; it has a str"),
    "mean code of another width": (lambda: checkpoint("e4e", latent_avg=torch.zeros(ROWS, 7)), r"latent_avg of shape \[10, 32\].*it has \[10, 7\]"),
    "mean code of other rows": (lambda: checkpoint("e4e", latent_avg=torch.zeros(7, WIDTH)), r"it has \[7, 32\]"),
    "mean code a number": (lambda: checkpoint("e4e", latent_avg=3.0), "latent_avg of finite numbers; it has float"),
    "mean code not finite": (lambda: checkpoint("e4e", latent_avg=torch.full((WIDTH,), torch.inf)), "latent_avg of finite numbers; it has others"),
    "generator damaged": (lambda: changed(**{"decoder.input.input": None}), "a whole generator under decoder."),
    "label maps": (lambda: changed("psp", **{"encoder.input_layer.0.weight": torch.zeros(16, 19, 3, 3)}), "3 or 6 input channels.; it takes 19"),
    "restyle without a render": (lambda: with_opts("psp", encoder_type="BackboneEncoder"), "6 input channels.; it takes 3"),
    "cars": (lambda: with_opts(dataset_type="cars_encode"), "it is one of cars"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(file, capsys, case):
    make, words = BROKEN[case]
    with pytest.raises(UserError, match=words) as refused:
        load_encoder(file(make()), sizes=SMALL)
    assert "\n" not in str(refused.value) and "encoder.pt" in str(refused.value) and capsys.readouterr().out == ""


@pytest.mark.parametrize("content, words", [
    (b"", "it is empty"),
    (b"<!DOCTYPE html>", "a web page, so the download failed"),
    (b"hello", "it is something else"),
    (b"PK\x03\x04 and no more", "cut short: download it again"),
    (b"\x80\x02}q\x00.", "damaged: download it again|something else"),
])  # fmt: skip
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content, words):
    (tmp_path / "e.pt").write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_encoder(tmp_path / "e.pt")
    with pytest.raises(UserError, match="there is none"):
        load_encoder(tmp_path / "none.pt")


def test_a_file_cut_anywhere_is_refused(tmp_path, file):
    whole = file(checkpoint("e4e")).read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        (tmp_path / "cut.pt").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match="cut short"):
            load_encoder(tmp_path / "cut.pt", sizes=SMALL)


def test_a_checkpoint_for_another_size_is_refused_with_both_sizes(file):
    with pytest.raises(UserError, match=r"generators of 64 px \(10 rows of 32\); this one draws 32 px \(8 rows of 32\)"):
        load_encoder(file(checkpoint("e4e")), small_decoder(32), sizes=SMALL)


def test_a_kind_that_the_file_contradicts_is_refused(file):
    path = file(checkpoint("e4e"))
    with pytest.raises(UserError, match=r"holds e4e \(Encoder4Editing\); got 'psp'"):
        load_encoder(path, kind="psp", sizes=SMALL)
    with pytest.raises(UserError, match="an encoder is one of psp, e4e, restyle-psp, restyle-e4e; got 'e5e'"):
        load_encoder(path, kind="e5e", sizes=SMALL)


# passes ---------------------------------------------------------------------------------------------------------------------


def test_one_pass_adds_the_mean_code(file):
    encoder = load_encoder(file(checkpoint("e4e")), sizes=SMALL)
    assert_close(encoder(faces()), encoder.net(faces()) + encoder.latent_avg)
    found = encoder.run(faces())
    assert found.ws.shape == (1, 2, ROWS, WIDTH) and found.images.shape == (1, 2, 3, SIZE, SIZE)
    for passes in (0, 2):
        with pytest.raises(UserError, match=f"e4e takes one pass; got {passes}"):
            encoder.run(faces(), passes)


def test_restyle_looks_at_its_last_render_and_keeps_every_pass(file):
    encoder = load_encoder(file(checkpoint("restyle-e4e")), sizes=SMALL)
    found = encoder.run(faces(), 3)
    ws, render = encoder.latent_avg.expand(2, -1, -1), encoder.draw(encoder.latent_avg[None]).expand(2, -1, -1, -1)
    for p in range(3):
        ws = ws + encoder.net(torch.cat([faces(), render], 1))
        render = encoder.draw(ws)
        assert_close(found.ws[p], ws, atol=1e-3, rtol=1e-3)
        assert_close(found.images[p], render, atol=1e-3, rtol=1e-3)
    assert_close(found.errors[2], (render - faces()).square().mean((1, 2, 3)), atol=1e-3, rtol=1e-3)
    assert torch.equal(encoder(faces(), 3), found.ws[-1]) and len(encoder.run(faces()).ws) == 5


def test_the_best_pass_is_chosen_for_each_picture(file):
    encoder = load_encoder(file(checkpoint("restyle-psp")), sizes=SMALL)
    order = iter([torch.tensor([3.0, 1.0]), torch.tensor([2.0, 5.0]), torch.tensor([4.0, 1.5])])
    found = encoder.run(faces(), 3, distance=lambda renders, images: next(order))
    ws, which = found.best()
    assert which.tolist() == [1, 0] and torch.equal(ws[0], found.ws[1, 0]) and torch.equal(ws[1], found.ws[0, 1])


def test_the_pass_that_nobody_looked_at_is_a_quirk(file):
    encoder = load_encoder(file(checkpoint("restyle-e4e")), sizes=SMALL)
    asked = []
    encoder.net.register_forward_hook(lambda *_: asked.append(1))
    plain, quirk = encoder.run(faces(), 5), encoder.run(faces(), 5, unseen_pass=True)
    assert len(asked) == 5 + 6 and torch.equal(plain.ws, quirk.ws[:5])


def test_pictures_of_another_side_are_averaged_to_the_nets(file):
    encoder = load_encoder(file(checkpoint("e4e")), sizes=SMALL)
    large = faces(side=2 * SIDE)
    assert_close(encoder(large), encoder(torch.nn.functional.avg_pool2d(large, 2)))
    assert encoder(faces(side=32)).shape == (2, ROWS, WIDTH)
    with pytest.raises(UserError, match="square images"):
        encoder(faces()[:, :, :32])


def test_the_code_of_a_generators_own_picture_does_not_depend_on_its_batch(file):
    encoder = load_encoder(file(checkpoint("restyle-e4e")), sizes=SMALL)
    assert_close(encoder(faces(3), 2)[1:2], encoder(faces(3)[1:2], 2), atol=1e-3, rtol=1e-3)


# the world's own --------------------------------------------------------------------------------------------------------------

TINY = EncoderConfig(size=16, num_ws=4, w_dim=16, width=8, hidden=16, basis=4)


def test_the_worlds_encoder_comes_back_from_its_file(tmp_path):
    net = Encoder(TINY, seed=4)
    torch.nn.init.normal_(net.answer.weight)
    save_world_encoder(tmp_path / "e.safetensors", net)
    back = load_world_encoder(tmp_path / "e.safetensors")
    assert back.config == TINY and all(torch.equal(t, back.state_dict()[n]) for n, t in net.state_dict().items())
    assert torch.equal(net(faces(side=16), faces(side=16, seed=1))[1], back(faces(side=16), faces(side=16, seed=1))[1])


def world_file(path, change=lambda tensors, record: None):
    tensors, record = Encoder(TINY).state_dict(), {"kind": "encoder", "config": vars(TINY).copy()}
    change(tensors, record)
    write_weights(path, tensors, record)


WORLD_BROKEN = {
    "missing": lambda p: None,
    "empty": lambda p: p.write_bytes(b""),
    "web page": lambda p: p.write_text("<!doctype html>"),
    "text": lambda p: p.write_text("hello"),
    "pickle": lambda p: torch.save({"state_dict": {}}, p),
    "cut": lambda p: (world_file(p), p.write_bytes(p.read_bytes()[:-100])),
    "header cut": lambda p: (world_file(p), p.write_bytes(p.read_bytes()[:50])),
    "another network": lambda p: world_file(p, lambda t, r: r.update(kind="identity")),
    "no kind": lambda p: world_file(p, lambda t, r: r.pop("kind")),
    "tensor missing": lambda p: world_file(p, lambda t, r: t.pop("basis")),
    "tensor unknown": lambda p: world_file(p, lambda t, r: t.update(extra=torch.zeros(1))),
    "other shape": lambda p: world_file(p, lambda t, r: t.update(basis=torch.zeros(3, 3))),
    "impossible size": lambda p: world_file(p, lambda t, r: r["config"].update(size=17)),
}


@pytest.mark.parametrize("case", WORLD_BROKEN)
def test_a_broken_file_of_the_worlds_encoder_is_refused_in_one_sentence(tmp_path, case):
    WORLD_BROKEN[case](tmp_path / "e.safetensors")
    with pytest.raises(UserError) as refused:
        load_world_encoder(tmp_path / "e.safetensors")
    assert "\n" not in str(refused.value)
