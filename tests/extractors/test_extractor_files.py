"""What a weight file may be, where it is looked for, and what happens when it is not there."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.extractors.base import FileExtractor, random_state, state_hash
from iplkit.extractors.catalog import PARTS, MissingWeights, load_extractor
from iplkit.extractors.files import read_state
from iplkit.extractors.hed import Hed
from iplkit.weights import sha256
from iplkit.zoo_get import get


class Small(FileExtractor):
    """The mean color, weighed."""

    name, profile, layers = "small", "paper", ("mean",)
    ignored = ("unused.",)

    @classmethod
    def build(cls):
        with torch.device("meta"):
            return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))

    def compute(self, images, layers):
        return {"mean": self.net(images.float().mean(dim=(2, 3)))}


STATE = random_state(Small.build())
IMAGES = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)


@pytest.fixture
def path(tmp_path):
    torch.save(STATE, tmp_path / "small.pth")
    return tmp_path / "small.pth"


def test_torch_files_and_safetensors_give_the_same_network(path, tmp_path):
    save_file(STATE, tmp_path / "small.safetensors")
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {f"module.{n}": t for n, t in STATE.items()} | {"unused.x": torch.zeros(1)}}, tmp_path / "wrapped.pth")
    want = Small(STATE)(IMAGES)["mean"]
    for file in ("small.pth", "small.safetensors", "old.pth", "wrapped.pth"):
        assert torch.equal(Small.from_file(tmp_path / file)(IMAGES)["mean"], want)
    assert Small.from_file(path).hash == sha256(path) and not Small.from_file(path).random


def test_half_precision_files_are_read_as_float32(tmp_path):
    torch.save({n: t.half() if t.is_floating_point() else t for n, t in STATE.items()}, tmp_path / "half.pth")
    assert_close(Small.from_file(tmp_path / "half.pth")(IMAGES)["mean"], Small(STATE)(IMAGES)["mean"], rtol=1e-2, atol=1e-2)


def without(name):
    return {n: t for n, t in STATE.items() if n != name}


@pytest.mark.parametrize("write, words", [
    (lambda p: None, "there is none at"),
    (lambda p: p.write_bytes(b""), "it is empty"),
    (lambda p: p.write_bytes(b"<!DOCTYPE html><title>Quota exceeded</title>"), "a web page, so the download failed"),
    (lambda p: p.write_bytes(b"weights"), "it is something else"),
    (lambda p: (torch.save(STATE, p), p.write_bytes(p.read_bytes()[:-200])), "cut short or damaged"),
    (lambda p: (torch.save(STATE, p), p.write_bytes(p.read_bytes()[:700])), "cut short or damaged"),
    (lambda p: torch.save({"x": pytest.fail}, p), "it would run code"),
    (lambda p: torch.save([1, 2], p), "it holds something else"),
    (lambda p: torch.save(without("0.bias"), p), r"needs 0.bias of shape \(2,\); it has None, and 1 of 7 tensors"),
    (lambda p: torch.save(STATE | {"2.bias": torch.zeros(1)}, p), "needs 2.bias of shape None"),
    (lambda p: torch.save(STATE | {"0.weight": torch.zeros(3, 2)}, p), r"needs 0.weight of shape \(2, 3\); it has \(3, 2\)"),
    (lambda p: torch.save(STATE | {"0.bias": torch.full((2,), torch.nan)}, p), "needs finite weights; 0.bias"),
])  # fmt: skip
def test_a_file_that_is_not_the_weights_is_refused_in_one_sentence(write, words, tmp_path):
    write(tmp_path / "x.pth")
    with pytest.raises(UserError, match=words) as refusal:
        Small.from_file(tmp_path / "x.pth")
    assert "\n" not in str(refusal.value)


def test_another_hash_is_refused_and_its_first_digits_are_enough(path):
    assert read_state(path, sha256(path)[:8])[1] == sha256(path)
    with pytest.raises(UserError, match="begins with 00000000; it has"):
        read_state(path, "00000000")


def test_counters_of_batches_may_be_missing():
    assert torch.equal(Small(without("1.num_batches_tracked"))(IMAGES)["mean"], Small(STATE)(IMAGES)["mean"])


def test_the_hash_follows_values_and_names_but_not_their_order():
    assert state_hash(dict(reversed(STATE.items()))) == state_hash(STATE)
    assert state_hash(STATE | {"0.bias": STATE["0.bias"] + 1e-3}) != state_hash(STATE)
    assert Small.random_weights(1).hash != Small.random_weights(2).hash and Small.random_weights().random


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("part", PARTS["paper"])
def test_a_missing_file_is_answered_with_the_command_that_gets_it(part, monkeypatch, tmp_path):
    for place in (None, tmp_path):
        monkeypatch.delenv(zoo.PAPER_FOLDER, raising=False) if place is None else monkeypatch.setenv(zoo.PAPER_FOLDER, str(place))
        with pytest.raises(MissingWeights, match="is needed and not there; get it with: iplkit zoo get"):
            load_extractor(part, "paper")


def test_random_weights_only_when_asked_for_and_then_marked(folder):
    found = load_extractor("edges", "paper", allow_random=True)
    assert found.random and found.origin()["random"] is True
    torch.save(random_state(Hed.build()), folder / "network-bsds500.pytorch")
    assert not load_extractor("edges", "paper", allow_random=True).random


def test_a_file_of_another_hash_than_the_published_one_counts_as_random(folder, monkeypatch):
    torch.save(random_state(Hed.build()), folder / "network-bsds500.pytorch")
    entries = tuple(e if e.name != "hed" else zoo.Entry(**vars(e) | {"sha256": "12345678"}) for e in zoo.PAPER)
    monkeypatch.setitem(zoo.PROFILES, "paper", entries)
    with pytest.raises(UserError, match="begins with 12345678"):
        load_extractor("edges", "paper")
    assert load_extractor("edges", "paper", allow_random=True).random


def test_the_world_needs_no_file_of_the_reader():
    for part in PARTS["world"]:
        found = load_extractor(part)
        assert found.profile == "world" and len(found.hash) == 64 and not found.random


@pytest.mark.parametrize("part, profile, words", [
    ("edgs", "world", "no extractor for 'edgs'; the nearest known are edges"),
    ("dinov2", "world", "profile world has no extractor for 'dinov2'"),
    ("edges", "mars", "profile must be one of world, paper"),
])  # fmt: skip
def test_unknown_parts_and_profiles_are_refused(part, profile, words):
    with pytest.raises(UserError, match=words):
        load_extractor(part, profile)


def test_a_file_is_brought_from_its_address_and_kept(folder, path, monkeypatch):
    entry = zoo.Entry("small", "small-file.pth", "", "MIT", "a test", path.as_uri(), sha256(path)[:8])
    monkeypatch.setitem(zoo.PROFILES, "paper", (entry,))
    found = get("small")
    assert found == folder / "small-file.pth" and found.read_bytes() == path.read_bytes()
    path.unlink()
    assert get("small") == found


@pytest.mark.parametrize("content, url, words", [
    (b"<html>quota</html>", True, "it is a web page"),
    (b"", True, "it is empty"),
    (b"other", True, "begins with 12345678"),
    (None, True, "does not answer"),
    (b"other", False, "no lasting address; .* iplkit zoo get small --from FILE"),
])  # fmt: skip
def test_what_is_not_the_file_is_refused_and_nothing_is_left(content, url, words, folder, tmp_path_factory, monkeypatch):
    source = tmp_path_factory.mktemp("net") / "file"
    source.unlink(missing_ok=True) if content is None else source.write_bytes(content)
    entry = zoo.Entry("small", "small.pth", "", "MIT", "a test", source.as_uri() if url else "", "12345678")
    monkeypatch.setitem(zoo.PROFILES, "paper", (entry,))
    with pytest.raises(UserError, match=words):
        get("small")
    if content is not None and url:
        with pytest.raises(UserError, match=words):
            get("small", source)
    assert not list(folder.iterdir())
