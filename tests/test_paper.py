"""How a notebook begins with the papers' models, and files with random weights in their place."""

import json

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from iplkit import synthetic, zoo
from iplkit.errors import NotHere, UserError
from iplkit.extractors.catalog import load_extractor
from iplkit.features import judge_features
from iplkit.paper import begin
from iplkit.paper_cells import PaperCells
from iplkit.paper_files import hash_of, is_random
from iplkit.weights import sha256

FEW = ("generator", "hed", "judge")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("random")
    synthetic.make(where, FEW, size=16, width=4)
    return where


@pytest.fixture
def mine(folder, monkeypatch):
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(folder))
    return folder


def test_files_with_random_weights_go_through_the_readers_and_carry_their_mark(mine):
    generator = zoo.load("generator", "paper")
    assert generator.config.size == 16 and generator.config.n_mlp == 8 and generator(torch.ones(1, 512), noise_mode="none").isfinite().all()
    listed = json.loads((mine / "synthetic.json").read_text())["files"]
    assert listed == {zoo.entry(name, "paper").file: sha256(zoo.path_of(name, "paper")) for name in FEW}
    assert load_extractor("edges", "paper").random and load_extractor("inception", "paper").random, "its hash is not the published one"
    assert is_random("hed") and hash_of("hed") == listed["network-bsds500.pytorch"] and "not used" in hash_of("critic")


def test_random_weights_of_another_size_take_the_place_of_the_first(tmp_path):
    for size in (16, 32):
        synthetic.make(tmp_path, ("generator",), size=size, width=4)
        assert zoo.load("generator", "paper", tmp_path).config.size == size


def test_a_real_file_is_never_replaced_by_random_weights(tmp_path):
    (tmp_path / "network-bsds500.pytorch").write_bytes(b"real")
    with pytest.raises(UserError, match="no real files under these names; there are network-bsds500.pytorch, and nothing was written"):
        synthetic.make(tmp_path, FEW, size=16)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"real"]


@pytest.mark.parametrize(("change", "words"), [({"names": ("glip",)}, "no synthetic 'glip'; the nearest known are clip"), ({"size": 48}, "size must be one of 16, 32")])
def test_what_cannot_be_drawn_is_refused(change, words, tmp_path):
    with pytest.raises(UserError, match=words):
        synthetic.make(tmp_path / "new", **change)
    assert not (tmp_path / "new").exists()


def test_a_notebook_without_its_models_ends_in_one_sentence_with_the_command(mine):
    with pytest.raises(UserError, match="this notebook needs clip, .* get it with: iplkit zoo get clip$"):
        begin("paper", "generator, clip", "identity")


def test_a_notebook_with_its_models_says_which_and_what_it_lacks(mine, capsys):
    begin("paper", "generator", "hed, identity")
    assert capsys.readouterr().out.splitlines() == [
        "Profile paper: generator, hed from your files.",
        "Not there, so cells that ask for it are left out: identity. Get it with: iplkit zoo get identity",
        "Random weights, so its pictures and numbers mean nothing: generator, hed.",
    ]
    begin("world", "no such model")
    assert capsys.readouterr().out == ""


def test_in_a_shell_the_cells_after_it_are_looked_at(mine, capsys, monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    shell.user_ns["begin"] = begin
    for source in ('begin("paper", "generator")', 'begin("paper", "generator")', 'from iplkit import zoo\nnet = zoo.load("clip", "paper")\nlast = 2\nlast'):
        assert shell.run_cell(source, silent=False).success
    assert len([t for t in shell.ast_transformers if isinstance(t, PaperCells)]) == 1
    assert shell.user_ns["last"] == 2 and "net" not in shell.user_ns
    assert "Left out with these models: net; the paper's clip needs the file" in capsys.readouterr().out
    shell.history_manager.end_session()


def test_inception_answers_what_it_knows_and_names_what_it_does_not(mine):
    told = judge_features(zoo.load("judge", "paper"), torch.rand(2, 3, 32, 32))
    assert told["pool"].shape == (2, 2048) and torch.allclose(told["kinds_probs"].sum(1), torch.ones(2))
    with pytest.raises(NotHere, match="Inception knows no domain probs; the world's judge does"):
        told["domain_probs"]
