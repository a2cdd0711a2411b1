"""The published layouts, written here with numbers of our own."""

import io
import pickle
import zipfile

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
    with pytest.raises(UserError, match="asks for builtins.print"):
        read_published_statistics(tmp_path / "S", SPACE)
    assert capsys.readouterr().out == ""


class Pointers:
    """An array of objects over given bytes: numpy would follow them as pointers."""

    def __reduce__(self):
        return (np.ndarray, ((1,), np.dtype("O"), b"x" * 8))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_whose_arrays_would_be_pointers_is_refused(tmp_path, protocol):
    for lists in ([[Pointers()], [Pointers()]], [[np.array([None])], [np.ones(1)]]):
        (tmp_path / "S").write_bytes(pickle.dumps(lists, protocol))
        with pytest.raises(UserError, match="two lists of arrays, mean and std"):
            read_published_statistics(tmp_path / "S", SPACE)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_statistics_of_every_protocol_load(tmp_path, protocol):
    (tmp_path / "S").write_bytes(pickle.dumps([[np.full(width, k, np.float32) for width in SPACE.widths] for k in (1, 2)], protocol))
    assert float(read_published_statistics(tmp_path / "S", SPACE).std.sum()) == 2 * 9088


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inner", content)
    return archive.getvalue()


def of_numpy(save, *arrays, **named) -> bytes:
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


MATRIX = of_numpy(np.save, np.ones((64, 2), np.float32))
PAIR = of_numpy(np.savez, mean=np.arange(9088.0), std=np.ones(9088))
LISTS = pickle.dumps([[np.ones(9088)], [np.ones(9088)]])
HUGE = MATRIX.replace(b"(64, 2), }  ", b"(%d, 2), }" % 10**15)[: len(MATRIX)]
NOT_FINITE = pickle.dumps([[np.full(9088, np.inf)], [np.ones(9088)]])


@pytest.mark.parametrize(("reader", "content", "said"), [
    (read_matrix, b"<!DOCTYPE html>", "a web page"), (read_matrix, b"", "empty"), (read_matrix, zipped(MATRIX), "an archive, so unpack it first"),
    (read_matrix, half(MATRIX), "cut short"), (read_matrix, MATRIX[:9], "cut short"), (read_matrix, HUGE, "cut short"), (read_matrix, LISTS, "something else"),
    (read_matrix, of_numpy(np.save, np.array([[Runs()]], dtype=object)), "something else"), (read_matrix, None, "there is none"),
    (read_published_statistics, b"<html>quota", "a web page"), (read_published_statistics, b"", "empty"), (read_published_statistics, None, "there is none"),
    (read_published_statistics, zipped(LISTS), "needs the arrays mean and std; it holds inner"), (read_published_statistics, half(PAIR), "cut short or damaged"),
    (read_published_statistics, half(LISTS), "cut short or damaged"), (read_published_statistics, MATRIX, "cut short or damaged"),
    (read_published_statistics, of_numpy(np.savez, mean=np.array([Runs()], dtype=object), std=np.ones(1)), "cut short or damaged"),
    (read_published_statistics, NOT_FINITE, "finite"), (read_published_statistics, pickle.dumps({"mean": 1}), "something else"),
    (read_published_statistics, pickle.dumps([[1], [2]]), "something in them is no array"), (read_published_statistics, pickle.dumps([[], []]), "something in them is no array"),
])  # fmt: skip
def test_what_a_download_can_be_instead_is_one_sentence_and_nothing_runs(tmp_path, capsys, reader, content, said):
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=said) as refusal:
        reader(tmp_path / "file", SPACE)
    assert "\n" not in str(refusal.value) and capsys.readouterr().out == ""


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
