import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.extractors.base import Extractor
from iplkit.extractors.world import world_extractor
from iplkit.features import BLOCK, Features, batches, clip_features, extract, extract_many, identity_features, judge_features
from iplkit.images import from_uint8, to_uint8
from iplkit.nets.identity import Identity, IdentityConfig
from iplkit.nets.judge import Judge
from iplkit.nets.readout import ClassifierConfig
from iplkit.weights import write_weights

JUDGE = Judge(ClassifierConfig(size=32, width=8)).eval()


@pytest.fixture
def images(generator):
    return torch.rand(7, 3, 32, 32, generator=generator) * 2 - 1


def test_batch_size_changes_nothing(images):
    once, again = judge_features(JUDGE, images, batch_size=7), judge_features(JUDGE, images, batch_size=2)
    for name in once:
        assert_close(once[name], again[name], atol=1e-6, rtol=1e-5)  # float32 sums in another order


def test_bytes_floats_and_a_stream_of_batches_are_one_set(images):
    as_bytes = to_uint8(images)
    want = judge_features(JUDGE, as_bytes, batch_size=4)
    for other in (images, from_uint8(as_bytes), iter(as_bytes.split(4))):
        found = judge_features(JUDGE, other, batch_size=4)
        assert all(torch.equal(want[name], found[name]) for name in want)


def test_the_judge_answers_with_probabilities_and_a_pool(images):
    found = judge_features(JUDGE, images)
    assert found["pool"].shape == (7, 64) and found["factors"].shape == (7, 25)
    for name, classes in (("domain_probs", 15), ("kinds_probs", 40)):
        assert found[name].shape == (7, classes)
        assert_close(found[name].sum(1), torch.ones(7))


def test_embeddings_lie_on_the_unit_sphere(images):
    class Eye(torch.nn.Linear):
        def encode_image(self, x):
            return self(x.flatten(1)) * 3

    net = Identity(IdentityConfig(size=32, width=8)).eval()
    for found in (identity_features(net, images, 3), clip_features(Eye(3 * 32 * 32, 5), images, 3)):
        assert_close(found.norm(dim=1), torch.ones(7))


@pytest.mark.parametrize("images, words", [(torch.zeros(3, 32, 32), r"\[N, 3, H, W\]"), ([], "at least one image")])
def test_what_is_no_image_set_is_refused(images, words):
    with pytest.raises(UserError, match=words):
        judge_features(JUDGE, images)
    if isinstance(images, list):
        assert list(batches(images)) == []


class Mean(Extractor):
    """Two layers that a hand can check, and a count of the images seen."""

    name, profile, layers, protocol = "mean", "world", ("mean", "square"), {"version": 1}
    seen = 0

    def compute(self, images, layers):
        type(self).seen += len(images)
        mean = images.double().mean(dim=(2, 3))
        return {"mean": mean, "square": mean.square()}


@pytest.fixture
def mean(monkeypatch):
    monkeypatch.setattr(Mean, "seen", 0)
    return Mean(None)


@pytest.fixture
def many(generator):
    return torch.randint(0, 256, (150, 3, 8, 8), generator=generator, dtype=torch.uint8)


def test_layers_come_out_as_float32_with_their_origin(mean, many):
    found = extract(mean, many)
    assert found["mean"].dtype == torch.float32 and found["square"].shape == (150, 3) and len(found) == 150
    assert found.origin["extractor"] == "mean" and found.origin["sha256"] == mean.hash and found.origin["random"] is False
    assert (found.origin["n"], found.origin["size"]) == (150, [8, 8])
    with pytest.raises(UserError, match="have the layers mean, square; got 'pool'"):
        found["pool"]


def test_a_set_is_one_set_however_it_is_cut(mean, many):
    want = extract(mean, many)
    for cut in (iter(many.split(1)), iter(many.split([100, 7, 43])), iter([from_uint8(many)])):
        found = extract(mean, cut)
        assert found.origin == want.origin and torch.equal(found["mean"], want["mean"])


def test_a_network_gives_the_same_layers_twice_and_at_any_batch_size(images):
    extractor = world_extractor("judge", JUDGE)
    want = extract(extractor, images)
    for size in (1, 3, 16):
        found = extract(extractor, images, batch_size=size)
        for layer in want.layers:
            assert_close(found[layer], want[layer], rtol=1e-6, atol=1e-6)
    again = extract(extractor, images)
    assert all(torch.equal(again[layer], want[layer]) for layer in want.layers)


def test_the_contract_agrees_with_the_judge_as_it_is_called_elsewhere(images):
    found, want = extract(world_extractor("judge", JUDGE), images), judge_features(JUDGE, images)
    for layer in want:
        assert_close(found[layer], want[layer], rtol=1e-6, atol=1e-6)


def test_known_images_are_not_looked_at_again(mean, many, tmp_path):
    want = extract(mean, many, ["mean"], cache=tmp_path)
    assert mean.seen == 150 and len(list(tmp_path.iterdir())) == 3
    found = extract(mean, iter(many.split(11)), ["mean"], cache=tmp_path)
    assert mean.seen == 150 and torch.equal(found["mean"], want["mean"]) and found.origin == want.origin
    changed = many.clone()
    changed[70] += 1
    extract(mean, changed, ["mean"], cache=tmp_path)
    assert mean.seen == 150 + BLOCK


@pytest.mark.parametrize("change", [
    lambda e, patch: setattr(e, "hash", "other weights"),
    lambda e, patch: patch.setattr(type(e), "protocol", {"version": 2}),
    lambda e, patch: patch.setattr(type(e), "name", "other"),
])  # fmt: skip
def test_other_weights_or_another_protocol_is_another_entry(change, mean, many, tmp_path, monkeypatch):
    extract(mean, many[:5], cache=tmp_path)
    change(mean, monkeypatch)
    extract(mean, many[:5], cache=tmp_path)
    assert mean.seen == 10


@pytest.mark.parametrize("damage", [lambda b: b[:-4], lambda b: b"", lambda b: b"<html>", lambda b: b[:9] + b"!" + b[10:]])
def test_a_damaged_cache_file_is_computed_anew(damage, mean, many, tmp_path):
    want = extract(mean, many[:5], cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert torch.equal(extract(mean, many[:5], cache=tmp_path)["mean"], want["mean"])
    assert mean.seen == 10 and path.read_bytes() == whole and len(list(tmp_path.iterdir())) == 1


def test_several_extractors_share_one_pass_over_a_stream(mean, many):
    one, two = extract_many([(mean, ["mean"]), (world_extractor("edges"), None)], iter(many.split(50)))
    assert len(one) == 150 and two["edges"].shape == (150, 1, 8, 8) and one.origin["images"] == two.origin["images"]


def test_features_come_back_from_disk_with_their_origin(mean, many, tmp_path):
    want = extract(mean, many)
    want.save(tmp_path / "features.safetensors")
    found = Features.load(tmp_path / "features.safetensors")
    assert found.origin == want.origin and torch.equal(found["square"], want["square"])
    with pytest.raises(UserError, match="needs to hold features; it holds generator"):
        write_weights(tmp_path / "other.safetensors", {}, {"kind": "generator"})
        Features.load(tmp_path / "other.safetensors")


def test_images_of_two_sizes_are_no_set(mean):
    with pytest.raises(UserError, match=r"one size; got \(8, 8\) and \(9, 8\) pixels"):
        extract(mean, iter([torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 9, 8)]))


def test_features_that_are_no_numbers_are_refused_and_not_kept(mean, many, tmp_path, monkeypatch):
    monkeypatch.setattr(Mean, "compute", lambda self, images, layers: dict.fromkeys(layers, torch.full((len(images), 2), torch.nan)))
    with pytest.raises(UserError, match="layer mean of mean has some that are not"):
        extract(mean, many, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_extractor_refuses_floats_and_unknown_layers(mean, many):
    with pytest.raises(UserError, match=r"needs uint8 images \[N, 3, H, W\]; got torch.float32"):
        mean(many.float())
    with pytest.raises(UserError, match="has the layers mean, square; got 'pool'"):
        extract(mean, many, ["pool"])
