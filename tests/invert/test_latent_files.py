"""Latents of every tool: read as one code, or refused in one sentence."""

import numpy as np
import pytest
import torch

from iplkit.errors import UserError
from iplkit.invert.latent_files import latent_of, read_latent, write_latent

ROWS, WIDTH = 18, 512


def code(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, ROWS, WIDTH), (ROWS, WIDTH)])
def test_eighteen_rows_are_one_code_in_w_plus_and_never_eighteen_codes(tmp_path, shape):
    np.save(tmp_path / "a.npy", code(*shape))
    found = read_latent(tmp_path / "a.npy", ROWS)
    assert found.space == "W+" and found.ws.shape == (1, ROWS, WIDTH) and found.ws.dtype == torch.float32
    assert np.array_equal(found.ws.numpy().reshape(shape), code(*shape))
    assert str(found) == f"W+: 18 rows of 512, stored as {shape}"


@pytest.mark.parametrize("shape", [(WIDTH,), (1, WIDTH), (1, 1, WIDTH)])
def test_one_row_is_a_code_in_w_for_all_rows(tmp_path, shape):
    np.save(tmp_path / "a.npy", code(*shape).astype(np.float64))
    found = read_latent(tmp_path / "a.npy", ROWS)
    assert found.space == "W" and (found.ws == found.ws[:, :1]).all() and "one w of 512" in str(found)


def test_equal_rows_are_named_w():
    assert latent_of(np.repeat(code(1, WIDTH), ROWS, 0), ROWS).space == "W"


def test_a_latent_of_another_width_is_read_for_a_generator_of_that_width():
    assert latent_of(code(10, 64), 10, 64).ws.shape == (1, 10, 64)


@pytest.mark.parametrize("shape, words", [
    ((14, WIDTH), "1 or 18 rows of 512 for this generator; it has 14: it is of a generator of 256 px"),
    ((3, WIDTH), "it has 3$"),
    ((2, ROWS, WIDTH), r"\(2, 18, 512\): these are 2 codes, and one a file is read"),
    ((ROWS, 1, WIDTH), r"\(18, 1, 512\): these are 18 codes"),
    ((1, 1, ROWS, WIDTH), r"here 18 rows of 512; it has \(1, 1, 18, 512\)"),
    ((WIDTH, ROWS), "its axes are in another order"),
    ((ROWS, 256), "it is 256 wide"),
    ((), r"it has \(\)"),
])  # fmt: skip
def test_a_wrong_rank_or_number_of_rows_is_refused_in_one_sentence(tmp_path, shape, words):
    np.save(tmp_path / "a.npy", code(*shape) if shape else np.float32(1))
    with pytest.raises(UserError, match=words) as refused:
        read_latent(tmp_path / "a.npy", ROWS)
    assert str(tmp_path / "a.npy") in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [
    code(1, ROWS, WIDTH), {"latent": code(ROWS, WIDTH)}, {"w": code(1, ROWS, WIDTH), "noise": code(3)},
    {"photo.jpg": {"img": code(3, 8, 8), "latent": code(ROWS, WIDTH), "noise": [code(4)]}}, {"anything": code(ROWS, WIDTH)},
])  # fmt: skip
def test_files_of_torch_are_read_as_other_tools_write_them(tmp_path, content):
    def tensors(x):
        if isinstance(x, dict):
            return {name: tensors(value) for name, value in x.items()}
        return [tensors(value) for value in x] if isinstance(x, list) else torch.from_numpy(x)

    for old in (False, True):
        torch.save(tensors(content), tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
        assert np.array_equal(read_latent(tmp_path / "a.pt", ROWS).ws[0].numpy(), code(ROWS, WIDTH))


def test_the_projected_w_of_nvidia_is_read(tmp_path):
    np.savez(tmp_path / "projected_w.npz", w=code(1, ROWS, WIDTH))
    assert read_latent(tmp_path / "projected_w.npz", ROWS).space == "W+"


class Dangerous:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("name, write, words", [
    ("a.npy", lambda p: np.save(p, {"a": code(3)}, allow_pickle=True), "Python objects, which could run code"),
    ("a.npy", lambda p: p.write_bytes(b"\x93NUMPY\x01\x00"), "cut short or damaged"),
    ("a.npy", lambda p: p.write_text("hello"), "unknown content"),
    ("a.npy", lambda p: p.write_bytes(b""), "empty content"),
    ("a.npy", lambda p: p.write_text("<html>"), "a web page"),
    ("a.npy", lambda p: np.save(p, np.array(["w"])), "real numbers"),
    ("a.npy", lambda p: np.save(p, code(ROWS, WIDTH) * 1j), "real numbers"),
    ("a.npy", lambda p: np.save(p, np.full((ROWS, WIDTH), np.nan)), "finite"),
    ("a.pt", lambda p: torch.save(Dangerous(), p), "would run code"),
    ("a.pt", lambda p: torch.save([1, 2], p), "one tensor; it holds a list"),
    ("a.pt", lambda p: torch.save({"a": torch.zeros(2), "b": torch.zeros(2)}, p), "alone or under one of latent.*it holds a, b"),
    ("a.npz", lambda p: np.savez(p, a=code(2), b=code(2)), "it holds a, b"),
    ("a.npz", lambda p: p.write_bytes(b"PK\x03\x04 and then nothing"), "cut short or damaged"),
    ("a.pt", lambda p: p.write_bytes(b"PK\x03\x04 and then nothing"), "damaged or would run code"),
    ("a.npy", lambda p: None, "there is no file"),
])  # fmt: skip
def test_what_is_no_latent_is_refused_and_never_run(tmp_path, capsys, name, write, words):
    write(tmp_path / name)
    with pytest.raises(UserError, match=words) as refused:
        read_latent(tmp_path / name, ROWS)
    assert "\n" not in str(refused.value) and capsys.readouterr().out == ""


def test_a_written_latent_is_read_back_by_us_and_by_numpy(tmp_path):
    ws = torch.from_numpy(code(1, 10, 64))
    write_latent(tmp_path / "out" / "a.npy", ws[0])
    assert np.load(tmp_path / "out" / "a.npy").shape == (1, 10, 64)
    assert torch.equal(read_latent(tmp_path / "out" / "a.npy", 10, 64).ws, ws)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.npy"]
    for path, bad in (("a.pt", ws), ("b.npy", ws.expand(2, -1, -1)), ("b.npy", ws * torch.nan)):
        with pytest.raises(UserError, match="one finite code"):
            write_latent(tmp_path / path, bad)
    assert not (tmp_path / "b.npy").exists()
