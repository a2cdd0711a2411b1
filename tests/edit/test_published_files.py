"""The published layouts, written here with numbers of our own."""

import pickle

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.published_files import covered, read_matrix, read_published_statistics
from iplkit.edit.relevance import Relevance
from iplkit.edit.relevance_files import read_relevance, write_relevance
from iplkit.edit.style_space import style_space
from iplkit.errors import UserError
from iplkit.stylegan2.generator import GeneratorConfig

SPACE = style_space(GeneratorConfig(1024, tuple(min(32768 // 2**k, 512) for k in range(2, 11))))


class Runs:
    """What a harmful pickle looks like."""

    def __reduce__(self):
        return (print, ("run",))


def test_5376_rows_are_the_convolutions_up_to_128_px_and_6048_are_all():
    few, every = covered(SPACE, 5376), covered(SPACE, 6048)
    assert torch.equal(few, every[:5376])
    assert int(few[-1]) == SPACE.columns("conv128").stop - 1


@pytest.mark.parametrize("rows", [5376, 6048])
def test_a_matrix_loads_and_its_rows_know_their_channels(tmp_path, rows):
    made = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    np.save(tmp_path / "fs3.npy", made)
    found, columns = read_matrix(tmp_path / "fs3.npy", SPACE)
    assert_close(found, torch.from_numpy(made))
    assert len(columns) == rows


@pytest.mark.parametrize(("array", "said"), [(np.zeros((9088, 2), np.float32), "5376 or 6048 rows; it has 9088"), (np.full((6048, 2), np.nan, np.float32), "finite")])
def test_another_matrix_is_refused(tmp_path, array, said):
    np.save(tmp_path / "fs3.npy", array)
    with pytest.raises(UserError, match=said):
        read_matrix(tmp_path / "fs3.npy", SPACE)


def test_pickled_statistics_load_layer_by_layer(tmp_path):
    mean, std = ([np.full(width, k + add, np.float32) for k, width in enumerate(SPACE.widths)] for add in (0, 100))
    (tmp_path / "S_mean_std").write_bytes(pickle.dumps([mean, std]))
    found = read_published_statistics(tmp_path / "S_mean_std", SPACE)
    assert_close(found.std[SPACE.columns("rgb1024")], torch.full((32,), 125.0))
    assert float(found.mean[0]) == 0


def test_statistics_as_one_array_in_npz_load_too(tmp_path):
    np.savez(tmp_path / "stat.npz", mean=np.arange(9088.0), std=np.ones(9088))
    assert float(read_published_statistics(tmp_path / "stat.npz", SPACE).mean[9087]) == 9087


def test_statistics_of_another_generator_are_refused(tmp_path):
    (tmp_path / "S").write_bytes(pickle.dumps([[np.zeros(5)], [np.ones(5)]]))
    with pytest.raises(UserError, match="26 layers and 9088 channels; its mean has 1 layers and 5 channels"):
        read_published_statistics(tmp_path / "S", SPACE)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    (tmp_path / "S").write_bytes(pickle.dumps([[Runs()], [Runs()]]))
    with pytest.raises(UserError, match="is no array"):
        read_published_statistics(tmp_path / "S", SPACE)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["m.npy", "m.safetensors"])
def test_a_matrix_of_ours_comes_back_from_both_kinds_of_file(tmp_path, name):
    rows = torch.randn(6048, 3, generator=torch.Generator().manual_seed(0))
    write_relevance(tmp_path / name, Relevance(SPACE.convolutions, rows, rows, 7), SPACE, {"by": "test"})
    found = read_relevance(tmp_path / name, SPACE)
    assert_close(found.rows, rows)
    assert torch.equal(found.columns, SPACE.convolutions)


def test_some_channels_alone_have_no_published_layout(tmp_path):
    with pytest.raises(UserError, match="needs all 6048 channels"):
        write_relevance(tmp_path / "m.npy", Relevance(torch.arange(3), torch.ones(3, 2), torch.ones(3, 2), 1), SPACE, {})
    assert not list(tmp_path.iterdir())
