import copy

import pytest
import torch

from iplkit import zoo
from iplkit.differences import write_difference
from iplkit.errors import UserError
from iplkit.nets.judge import Judge, save_judge
from iplkit.nets.readout import ClassifierConfig
from iplkit.stylegan2.checkpoints import save_generator
from iplkit.stylegan2.generator import Generator, GeneratorConfig


@pytest.fixture
def folder(tmp_path):
    """A shipped folder with a generator, a judge and one adapted generator."""
    generator = Generator(GeneratorConfig(size=32, channels=(8, 8, 8, 8), n_mlp=2))
    save_generator(tmp_path / "generator.safetensors", generator, {})
    save_judge(tmp_path / "judge.safetensors", Judge(ClassifierConfig(size=32, width=8)))
    base = zoo.record_hashes(tmp_path)["generator.safetensors"]
    target = copy.deepcopy(generator)
    with torch.no_grad():
        target.synthesis.get_parameter(next(n for n, _ in target.synthesis.named_parameters())).add_(0.1)
    write_difference(tmp_path / zoo.ADAPTED / "nada-sketch.safetensors", generator, target, base, {})
    zoo.record_hashes(tmp_path)
    return tmp_path


def test_models_come_ready_to_use(folder):
    for name in ("generator", "judge"):
        model = zoo.load(name, folder=folder)
        assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_an_adapted_generator_is_the_shipped_one_plus_its_difference(folder):
    source, target = zoo.load("generator", folder=folder), zoo.adapted("nada-sketch", folder)
    moved = [n for (n, a), b in zip(source.named_parameters(), target.parameters()) if not torch.equal(a, b)]
    assert len(moved) == 1
    assert zoo.adapted_names(folder) == ["nada-sketch"]


@pytest.mark.parametrize("call, words", [
    (lambda: zoo.load("generatr"), "no model 'generatr'; the nearest known are generator"),
    (lambda: zoo.load("inception"), "no model 'inception'; known are|nearest known"),
    (lambda: zoo.load("generator", "wrld"), "profile must be one of world, paper; got 'wrld'"),
])
def test_unknown_names_are_answered_with_known_ones(call, words):
    with pytest.raises(UserError, match=words):
        call()


def test_an_unknown_adapted_generator_is_answered_with_the_nearest(folder):
    with pytest.raises(UserError, match="no adapted generator 'nada-skech'; the nearest known are nada-sketch"):
        zoo.adapted("nada-skech", folder)


def test_damaged_missing_and_foreign_files_are_refused_in_one_sentence(folder):
    path = folder / "judge.safetensors"
    whole = path.read_bytes()
    for content, words in ((whole[:-20], "needs SHA-256"), (b"<html>quota</html>", "needs SHA-256 .*html"), (None, "there is none at")):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(UserError, match=words) as refusal:
            zoo.load("judge", folder=folder)
        assert "\n" not in str(refusal.value)


def test_a_file_of_unknown_origin_is_refused(folder):
    (folder / zoo.HASHES).unlink()
    with pytest.raises(UserError, match="needs a line in hashes.json"):
        zoo.load("judge", folder=folder)


def test_the_paper_profile_says_which_file_it_needs_and_where(monkeypatch, tmp_path):
    monkeypatch.delenv(zoo.PAPER_FOLDER, raising=False)
    with pytest.raises(UserError, match="stylegan2-ffhq-config-f.pt in the folder that IPLKIT_PAPER_WEIGHTS names"):
        zoo.load("generator", "paper")
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(tmp_path))
    with pytest.raises(UserError, match="needs the file ViT-B-32.pt; there is none in"):
        zoo.load("clip", "paper")
    (tmp_path / "model_ir_se50.pth").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="model_ir_se50.pth needs to be a whole state dict"):
        zoo.load("identity", "paper")


def test_the_table_lists_every_model_with_size_hash_and_license(folder):
    rows = {row["name"]: row for row in zoo.table(folder=folder)}
    assert set(rows) == {"generator", "clip", "critic", "judge", "identity", "encoder", "bridge", "styleclip"}
    assert rows["judge"]["bytes"] == (folder / "judge.safetensors").stat().st_size
    assert len(rows["judge"]["sha256"]) == 64 and rows["clip"]["bytes"] is None
    assert zoo.shipped_bytes(folder)["adapted"] > 0
    assert all(row["license"] for row in zoo.table("paper"))
