import json
import pickle

import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.weights import file_kind, read_metadata, read_weights, sha256, write_weights


@pytest.fixture
def tensors(generator):
    return {"b": torch.randn(3, 4, generator=generator), "a": torch.arange(5), "empty": torch.zeros(0)}


@pytest.fixture
def file(tmp_path, tensors):
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors, {"n": 3, "list": [1, "x"], "nested": {"k": None}})
    return path


def test_what_is_written_is_read_back(file, tensors):
    got, record = read_weights(file, sha256(file))
    assert got.keys() == tensors.keys() and got["a"].dtype == torch.int64
    assert all(torch.equal(got[name], tensors[name]) for name in tensors)
    assert record == read_metadata(file) == {"n": 3, "list": [1, "x"], "nested": {"k": None}}


def test_equal_weights_are_equal_bytes(file, tmp_path, tensors):
    again = tmp_path / "again.safetensors"
    write_weights(again, dict(reversed(tensors.items())), {"nested": {"k": None}, "list": [1, "x"], "n": 3})
    assert file.read_bytes() == again.read_bytes()


def test_half_precision_is_read_as_float32_and_leaves_whole_numbers_alone(tmp_path, tensors):
    write_weights(tmp_path / "h.safetensors", tensors, {}, dtype=torch.float16)
    got, _ = read_weights(tmp_path / "h.safetensors")
    assert got["b"].dtype == torch.float32 and got["a"].dtype == torch.int64
    assert_close(got["b"], tensors["b"], atol=0, rtol=1e-3)


def test_channels_last_weights_keep_their_values(tmp_path, generator):
    x = torch.randn(2, 3, 4, 5, generator=generator)
    write_weights(tmp_path / "c.safetensors", {"x": x.to(memory_format=torch.channels_last)}, {})
    assert torch.equal(read_weights(tmp_path / "c.safetensors")[0]["x"], x)


def test_a_value_too_large_for_half_precision_is_refused(tmp_path):
    with pytest.raises(UserError, match="hold; its largest is 1e"):
        write_weights(tmp_path / "w.safetensors", {"x": torch.tensor([1e6])}, {}, dtype=torch.float16)
    assert not list(tmp_path.iterdir())


def test_a_record_that_is_not_json_is_refused(tmp_path):
    with pytest.raises(UserError, match="JSON"):
        write_weights(tmp_path / "w.safetensors", {}, {"x": object()})


@pytest.mark.parametrize(
    "content, kind, word",
    [
        (b"\n<!DOCTYPE html><html></html>", "html", "web page"),
        (b"<html>Quota exceeded</html>", "html", "web page"),
        (pickle.dumps({"a": 1}), "pickle", "run code"),
        (b"PK\x03\x04 and so on", "zip", "zip or torch"),
        (b"", "empty", "empty"),
        (b"plain text", "unknown", "something else"),
    ],
)
def test_other_files_are_refused_by_their_first_bytes(tmp_path, content, kind, word):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    assert file_kind(path) == kind
    with pytest.raises(UserError, match=word):
        read_weights(path)


@pytest.mark.parametrize("keep", [10, 60, -1])
def test_a_file_cut_short_is_refused(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match="cut short"):
        read_weights(file)


def test_a_file_with_bytes_added_is_refused(file):
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match="cut short or damaged"):
        read_weights(file)


def test_a_header_that_points_outside_is_refused(tmp_path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(UserError, match="damaged"):
        read_weights(path)


def test_another_hash_is_refused(file):
    with pytest.raises(UserError, match="needs SHA-256 000"):
        read_weights(file, "0" * 64)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is none"):
        read_weights(tmp_path / "none.safetensors")
