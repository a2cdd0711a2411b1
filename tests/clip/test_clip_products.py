"""Matrix products through oneDNN: the numbers of torch's own way, with all derivatives, and only where it pays."""

import copy

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from iplkit import zoo
from iplkit.adapt.meter import measure
from iplkit.clip import products
from iplkit.clip.model import Clip, freeze
from iplkit.clip.products import FASTER, hasten, linear, maker
from iplkit.clip.text import encode_branches

SIZES = dict(embed_dim=24, vision_cfg=dict(image_size=32, patch_size=8, width=64, layers=2, head_width=64), text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=2))
needs_onednn = pytest.mark.skipif(products.PRODUCT is None, reason="needs a torch with oneDNN")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def paying(monkeypatch):
    """As on a machine where it pays."""
    monkeypatch.setattr(products, "pays", lambda: True)


@pytest.fixture
def clips(paying):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        plain = freeze(Clip(open_clip.CLIP(**SIZES)))
    return plain, hasten(copy.deepcopy(plain))


def near(mine, other):
    torch.testing.assert_close(mine, other, atol=2e-5 * float(other.abs().max()), rtol=0)


@needs_onednn
@pytest.mark.parametrize("shape", [(8, 24), (1, 24), (3, 5, 24), (2, 3, 5, 24)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_product_has_the_values_and_the_first_and_second_derivatives_of_torchs(shape, with_bias):
    inputs = [draw(*shape), draw(16, 24, seed=1)] + [draw(16, seed=2)] * with_bias
    found = []
    for function in (linear, F.linear):
        leaves = [t.clone().requires_grad_(True) for t in inputs]
        value = function(*leaves)
        first = torch.autograd.grad(value.pow(3).sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.pow(2).sum() for g in first), leaves)
        found.append([value, *first, *second])
    for mine, other in zip(*found, strict=True):
        near(mine.detach(), other.detach())


@needs_onednn
def test_rows_that_do_not_lie_in_order_are_read_right():
    x, weight = draw(5, 4, 24).transpose(0, 1), draw(24, 16, seed=1).t()
    near(linear(x, weight), F.linear(x, weight))


def test_doubles_half_precision_and_shapes_without_numbers_go_torchs_way():
    x, weight = draw(8, 24), draw(16, 24, seed=1)
    assert torch.equal(linear(x.double(), weight.double()), F.linear(x.double(), weight.double()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(linear(x, weight), F.linear(x, weight))
    with FakeTensorMode() as shapes:
        assert linear(shapes.from_tensor(x), shapes.from_tensor(weight)).shape == (8, 16)


def test_a_hastened_clip_has_the_features_and_gradients_of_the_plain_one(clips):
    images, found = draw(3, 3, 40, 40).clamp(-1, 1), []
    ids = clips[0].tokenize(["a photo of a dog", "a sketch"])
    for clip in clips:
        leaf = images.clone().requires_grad_(True)
        features = clip.encode_image(leaf)
        found.append((features.detach(), *torch.autograd.grad(features.square().sum(), leaf), clip.encode_text(ids)))
    for mine, other in zip(*found, strict=True):
        near(mine, other)


def test_sentences_that_begin_alike_have_the_same_features_after_hastening(clips):
    parts = (draw(1, 2, 64), draw(3, 2, 64, seed=1), [draw(1, 2, 64, seed=2), draw(3, 3, 64, seed=3)])
    for mine, other in zip(*(encode_branches(clip, *parts) for clip in clips), strict=True):
        near(mine, other)


def test_hastening_keeps_names_and_weights_and_changes_every_layer_it_knows(clips):
    plain, fast = (clip.state_dict() for clip in clips)
    assert list(plain) == list(fast)
    assert all(torch.equal(plain[name], fast[name]) for name in plain)
    assert not any(type(module) in FASTER for module in clips[1].modules())


def test_hastening_changes_nothing_where_it_does_not_pay(monkeypatch):
    monkeypatch.setattr(products, "pays", lambda: False)
    model = hasten(nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 1)))
    assert [type(module) for module in model] == [nn.Linear, nn.MultiheadAttention]


def test_the_worlds_clip_stays_as_it_is():
    assert not any(type(module) in FASTER.values() for module in zoo.load("clip").modules())


@pytest.mark.parametrize("more", [dict(need_weights=True), dict(key_padding_mask=torch.tensor([[False] * 4 + [True]] * 3)), dict(is_causal=False), {}])
def test_attention_asked_for_anything_else_is_torchs(paying, more):
    x, plain = draw(3, 5, 8), nn.MultiheadAttention(8, 2, batch_first=True).eval()
    fast = hasten(copy.deepcopy(plain))
    memory = draw(3, 5, 8, seed=1) if not more else x
    for mine, other in zip(*(attention(x, memory, memory, **more) for attention in (fast, plain)), strict=True):
        assert mine is other is None or torch.equal(mine, other)


ADDED = torch.full((5, 5), float("-inf")).triu(1)


@pytest.mark.parametrize("mask", [ADDED, ADDED.bool(), ADDED.expand(6, 5, 5)], ids=["added", "booleans", "one for each head"])
def test_every_kind_of_mask_means_what_it_means_to_torch(paying, mask):
    x, plain = draw(3, 5, 8), nn.MultiheadAttention(8, 2, batch_first=True).eval()
    mine, other = (attention(x, x, x, need_weights=False, attn_mask=mask)[0] for attention in (hasten(copy.deepcopy(plain)), plain))
    near(mine.detach(), other.detach())


@pytest.mark.parametrize(("settings", "size"), [(dict(stride=4), (8, 12)), (dict(stride=4), (9, 8)), (dict(stride=2), (8, 8)), (dict(stride=4, padding=2), (8, 8)), (dict(stride=4, groups=3), (8, 8))])
def test_a_convolution_gives_torchs_numbers_whether_it_cuts_its_picture_into_squares_or_not(paying, settings, size):
    plain = nn.Conv2d(3, 6, 4, **settings)
    x = draw(2, 3, *size)
    mine, other = hasten(copy.deepcopy(plain))(x), plain(x)
    assert mine.shape == other.shape
    near(mine.detach(), other.detach())


@needs_onednn
def test_the_meter_counts_the_same_operations_on_both_ways(clips):
    images = draw(2, 3, 32, 32)
    with torch.no_grad():
        plain, fast = (measure(lambda: clip.encode_image(images))[1] for clip in clips)
    assert plain == fast > 0


@needs_onednn
def test_frozen_weights_keep_no_rows_for_the_way_back():
    kept, x = [], draw(64, 24).requires_grad_(True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        linear(x, draw(16, 24, seed=1))
    assert kept == [(16, 24)]


@pytest.fixture
def processor(monkeypatch):
    """A function that pretends: who made the processor, and what it can do."""

    def pretend(who="AuthenticAMD", can="AVX512"):
        monkeypatch.setattr(products, "maker", lambda: who)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: can)

    return pretend


@pytest.mark.parametrize(("who", "can"), [("GenuineIntel", "AVX512"), ("", "AVX512"), ("AuthenticAMD", "AVX2")])
def test_it_does_not_pay_on_intels_processors_nor_on_unknown_or_narrow_ones(processor, who, can):
    processor(who, can)
    assert not products.pays.__wrapped__()


@needs_onednn
def test_the_self_test_has_numbers_even_where_a_model_is_built_without_any(processor):
    processor()
    with torch.device("meta"):
        assert products.pays.__wrapped__() == torch.backends.mkl.is_available()


def _wrong(x, weight, *rest):
    return x @ weight.t() + 1


def _gone(*given):
    raise RuntimeError("no such kernel")


@pytest.mark.parametrize("product", [None, _wrong, _gone])
def test_a_torch_without_these_products_or_with_wrong_ones_keeps_its_own_way(monkeypatch, processor, product):
    processor()
    monkeypatch.setattr(products, "PRODUCT", product)
    assert not products.pays.__wrapped__()


def test_the_makers_name_is_read_from_the_system(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nvendor_id\t: AuthenticAMD\nmodel name : EPYC\nvendor_id\t: AuthenticAMD\n")
    assert maker(info) == "AuthenticAMD"
    info.write_text("processor : 0\nBogoMIPS : 50\n")
    assert maker(info) == ""


@pytest.mark.parametrize(("said", "who"), [("AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD", "AuthenticAMD"), ("i386", ""), ("", "")])
def test_other_systems_name_the_maker_at_the_end_or_not_at_all(tmp_path, monkeypatch, said, who):
    monkeypatch.setattr(products.platform, "processor", lambda: said)
    assert maker(tmp_path / "not there") == who
