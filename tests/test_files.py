"""Files are written whole or not at all, and known by their hash."""

import hashlib
import stat

import pytest

from iplkit.files import atomic_path, files_of, sha256, shipped_hashes


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "w.bin"
    file.write_bytes(b"whole")
    before = file.read_bytes()
    with pytest.raises(RuntimeError), atomic_path(file) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_an_atomic_file_has_ordinary_rights_and_its_folder_is_made(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    path = tmp_path / "new" / "x.json"
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".json" and temporary.parent == path.parent
        temporary.write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_is_known_by_its_bytes(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"x" * (1 << 20) + b"y")
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_files_of_a_folder_are_sorted_and_none_is_hidden(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.json", ".b.json.tmp", "a.json", "below/c.json"):
        (tmp_path / name).write_text("{}")
    assert [path.name for path in files_of(tmp_path)] == ["a.json", "b.json"]


def test_a_shipped_weight_goes_by_its_name_without_the_ending():
    assert {"generator", "clip", "judge"} <= set(shipped_hashes()) and not any(name.endswith(".safetensors") for name in shipped_hashes())
