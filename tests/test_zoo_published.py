"""Every file of the paper profile has a reader: what `zoo.load` gives for those that are no network of a chapter."""

import pytest
import torch
from torch.testing import assert_close

from iplkit import synthetic, zoo
from iplkit.edit.published_sizes import SIZES, space_of
from iplkit.edit.style_space import style_space
from iplkit.errors import UserError
from iplkit.invert.vgg import Vgg
from iplkit.stylegan2.checkpoints import to_rosinality
from iplkit.stylegan2.generator import Generator, GeneratorConfig

NAMES = ("generator", "mapper-purple_hair", "mapper-afro", "styleclip-fs3-ffhq", "styleclip-mean-std", "ipl-disney")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random weights in the published layouts; StyleCLIP's tables in their true size, the generator small."""
    where = tmp_path_factory.mktemp("random")
    synthetic.make(where, NAMES, size=64, width=4)
    return where


def test_every_published_file_has_a_loader_or_says_who_reads_it():
    without = {entry.name for entry in zoo.entries("paper") if not entry.loader}
    assert without == set(zoo.READ_BY)


@pytest.mark.parametrize("name, words", [("lpips-heads", r"load_extractor\('lpips', 'paper'\)"), ("dlib-landmarks", "dlib.shape_predictor")])
def test_a_part_is_refused_with_its_reader(tmp_path, name, words):
    (tmp_path / zoo.entry(name, "paper").file).write_bytes(b"something")
    with pytest.raises(UserError, match=words):
        zoo.load(name, "paper", tmp_path)


def test_vgg_is_the_eye_of_the_inversion(tmp_path):
    state = {f"features.{k}.weight": torch.zeros(1) for k in (24, 28)}
    state |= {f"features.{name}": t for name, t in Vgg().features.state_dict().items()}
    torch.save(state | {"classifier.6.bias": torch.zeros(1000)}, tmp_path / "vgg16-397923af.pth")
    assert [maps.shape[1] for maps in zoo.load("vgg16", "paper", tmp_path)(torch.zeros(1, 3, 16, 16))] == [64, 64, 256, 512]


def test_mappers_come_with_their_published_levels(folder):
    afro, purple = (zoo.load(f"mapper-{name}", "paper", folder) for name in ("afro", "purple_hair"))
    assert (afro.levels, purple.levels, afro.num_ws, afro.width) == (("coarse", "middle"), ("coarse", "middle", "fine"), 10, 512)
    ws = torch.randn(1, 10, 512, generator=torch.Generator().manual_seed(0))
    assert_close(afro.edit(ws)[:, 8:], ws[:, 8:]) and not any(p.requires_grad for p in afro.parameters())


@pytest.mark.parametrize("name, state", [("ipl-disney", {}), ("nada-sketch", {"g_optim": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.002}]}})])
def test_an_adapted_generator_of_the_papers_needs_no_mean_latent(tmp_path, name, state):
    source = Generator(GeneratorConfig(32, (4, 4, 3, 2), 16, 16, 8), seed=3)
    torch.save({"g_ema": to_rosinality(source)} | state, tmp_path / f"{name}.pt")
    found = zoo.load(name, "paper", tmp_path)
    ws = torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(0))
    assert_close(found.synthesis(ws, "const"), source.synthesis(ws, "const").detach(), rtol=0, atol=0)
    assert found.mapping.w_avg.abs().sum() > 0


@pytest.mark.parametrize("size", SIZES)
def test_the_size_of_a_table_is_read_from_it(tmp_path, size):
    import pickle

    import numpy as np

    space = space_of(size)
    np.save(tmp_path / "styleclip-afhqdog-fs3.npy", np.ones((len(space.convolutions), 1), np.float32))
    (tmp_path / "styleclip-ffhq-S_mean_std").write_bytes(pickle.dumps([[np.ones(width, np.float32) for width in space.widths]] * 2))
    assert torch.equal(zoo.load("styleclip-fs3-afhqdog", "paper", tmp_path).columns, space.convolutions)
    assert zoo.load("styleclip-mean-std", "paper", tmp_path).space == space
    assert space_of(1024).channels == 9088 and len(space_of(1024).layers) == 26


def test_tables_of_another_generator_are_refused_with_the_command_that_reads_them(folder):
    """The synthetic generator is narrow, so its tables are of no published size."""
    for name, flag in (("styleclip-fs3-ffhq", "--directions"), ("styleclip-mean-std", "--stats")):
        with pytest.raises(UserError, match=f"iplkit edit {flag}"):
            zoo.load(name, "paper", folder)


def test_synthetic_tables_are_those_of_the_synthetic_generator(folder):
    from iplkit.edit.published_files import read_matrix, read_published_statistics

    generator = zoo.load("generator", "paper", folder)
    space = style_space(generator.config)
    rows, columns = read_matrix(zoo.path_of("styleclip-fs3-ffhq", "paper", folder), space)
    assert torch.equal(columns, space.convolutions) and rows.shape == (len(columns), 512)
    assert_close(rows.norm(dim=1), torch.ones(len(rows)))
    assert float(read_published_statistics(zoo.path_of("styleclip-mean-std", "paper", folder), space).std.min()) > 0
    assert not torch.equal(zoo.load("ipl-disney", "paper", folder).synthesis.const, generator.synthesis.const)


@pytest.mark.parametrize("name", ["generator", "identity", "judge", "vgg16", "e4e", "mapper-afro", "styleclip-fs3-ffhq", "styleclip-mean-std", "ffhq-pkl", "dog-pkl", "nada-pixar"])
@pytest.mark.parametrize("content, words", [
    (b"<!DOCTYPE html><title>Quota exceeded</title>", "web page|html"), (b"", "empty|cut short"), ("zip", "an archive with inner.pt inside|an archive, so unpack it first|it holds inner.pt"),
    (b"PK\x03\x04 half of it", "cut short|damaged|archive|could not read it"), (b"\x80\x04}q\x00.", "."), ("runs", "."),
])  # fmt: skip
def test_whatever_a_download_turns_out_to_be_is_one_sentence_and_nothing_runs(tmp_path, capsys, name, content, words):
    import pickle
    import zipfile

    path = tmp_path / zoo.entry(name, "paper").file
    if content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.pt", b"weights")
    else:
        path.write_bytes(pickle.dumps(Runs()) if content == "runs" else content)
    with pytest.raises(UserError, match=words) as refusal:
        zoo.load(name, "paper", tmp_path)
    assert "\n" not in str(refusal.value) and str(path) in str(refusal.value) and "ran" not in capsys.readouterr().out


class Runs:
    """What a harmful file looks like."""

    def __reduce__(self):
        return (print, ("ran",))
