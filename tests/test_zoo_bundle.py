import errno
import io
import json
import tarfile

import pytest
from click.testing import CliRunner

from iplkit import zoo
from iplkit.cli import main
from iplkit.errors import UserError
from iplkit.weights import sha256
from iplkit.zoo_bundle import MANIFEST, PAGE, bundle, unbundle
from iplkit.zoo_files import LIST


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A reader's folder with two files."""
    made = tmp_path / "mine"
    made.mkdir()
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(made))
    for name, content in (("generator", b"a generator" * 50), ("lpips-heads", b"heads")):
        (made / zoo.entry(name, "paper").file).write_bytes(content)
    return made


def rewritten(path, target, change):
    """The archive with its members as (name, content) pairs after `change`."""
    with tarfile.open(path) as archive:
        members = [(m.name, archive.extractfile(m).read()) for m in archive]
    with tarfile.open(target, "w") as archive:
        for name, content in change(members):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_a_bundle_comes_out_as_it_went_in(folder, tmp_path):
    lines = bundle([], tmp_path / "class.tar")
    assert unbundle(tmp_path / "class.tar", tmp_path / "theirs") == lines
    files = [zoo.entry(name, "paper").file for name in ("generator", "lpips-heads")]
    assert all(sha256(folder / f) == sha256(tmp_path / "theirs" / f) for f in files)
    assert sorted(p.name for p in (tmp_path / "theirs").iterdir()) == sorted([*files, LIST])
    assert unbundle(tmp_path / "class.tar", tmp_path / "theirs") == lines


def test_a_bundle_tells_licences_to_people_and_hashes_to_programs(folder, tmp_path):
    bundle(["generator"], tmp_path / "class.tar")
    with tarfile.open(tmp_path / "class.tar") as archive:
        assert archive.getnames() == [MANIFEST, PAGE, "stylegan2-ffhq-config-f.pt"]
        line = json.loads(archive.extractfile(MANIFEST).read())["files"][0]
        page = archive.extractfile(PAGE).read().decode()
    assert line["sha256"] == sha256(folder / "stylegan2-ffhq-config-f.pt") and line["license"] == "NVIDIA, non-commercial"
    assert "Research and teaching only, never for money" in page and line["sha256"] in page


def test_equal_files_make_equal_bundles(folder, tmp_path):
    for name in ("a.tar", "b.tar"):
        bundle(["lpips-heads", "generator"], tmp_path / name)
    assert sha256(tmp_path / "a.tar") == sha256(tmp_path / "b.tar")


@pytest.mark.parametrize("change, words", [
    (lambda m: [*m, ("../../evil", b"x")], "exactly what its manifest names"),
    (lambda m: [("/etc/" + n if n.endswith(".pth") else n, c) for n, c in m], "exactly what its manifest names"),
    (lambda m: [(n, c.replace(b"lpips-vgg-v0.1.pth", b"../lpips-evil.pth")) for n, c in m], "names '../lpips-evil.pth'"),
    (lambda m: [(n, c[:-1] + b"!" if n.endswith(".pth") else c) for n, c in m], "needs SHA-256"),
    (lambda m: [(n, c + b"!" if n.endswith(".pth") else c) for n, c in m], "needs 5 bytes; the bundle has 6"),
    (lambda m: m[:-1], "exactly what its manifest names"),
    (lambda m: m[1:], "begins with manifest.json"),
    (lambda m: [*m, m[-1]], "exactly what its manifest names"),
    (lambda m: [(n, b"[" * 100_000 if n == MANIFEST else c) for n, c in m], "something else or damaged"),
    (lambda m: [(n, b"{}" if n == MANIFEST else c) for n, c in m], "something else or damaged"),
    (lambda m: [(n, c.replace(b'"version": 1', b'"version": 9')) for n, c in m], "bundle of version 1"),
])  # fmt: skip
def test_a_bundle_that_is_not_whole_is_refused_and_nothing_is_left(folder, tmp_path, change, words):
    bundle([], tmp_path / "class.tar")
    rewritten(tmp_path / "class.tar", tmp_path / "bad.tar", change)
    with pytest.raises(UserError, match=words) as refusal:
        unbundle(tmp_path / "bad.tar", tmp_path / "theirs")
    assert "\n" not in str(refusal.value) and not list((tmp_path / "theirs").iterdir())
    assert not (tmp_path / "lpips-evil.pth").exists() and not (tmp_path.parent / "evil").exists()


def test_a_link_in_a_bundle_is_refused(folder, tmp_path):
    bundle(["lpips-heads"], tmp_path / "class.tar")
    with tarfile.open(tmp_path / "class.tar") as archive, tarfile.open(tmp_path / "bad.tar", "w") as bad:
        for member in archive:
            if member.name.endswith(".pth"):
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
            bad.addfile(member, archive.extractfile(member) if member.isreg() else None)
    with pytest.raises(UserError, match="plain files"):
        unbundle(tmp_path / "bad.tar", tmp_path / "theirs")


@pytest.mark.parametrize("content, words", [(b"<html>", "something else or damaged"), (b"", "something else or damaged"), (None, "there is none at")])
def test_what_is_no_bundle_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "class.tar").write_bytes(content)
    with pytest.raises(UserError, match=words):
        unbundle(tmp_path / "class.tar", tmp_path / "theirs")


def test_a_file_of_other_bytes_is_not_written_over(folder, tmp_path):
    bundle([], tmp_path / "class.tar")
    (folder / "lpips-vgg-v0.1.pth").write_bytes(b"my own")
    with pytest.raises(UserError, match="move it away first"):
        unbundle(tmp_path / "class.tar", folder)
    assert (folder / "lpips-vgg-v0.1.pth").read_bytes() == b"my own"


def test_a_full_disk_leaves_no_half_bundle_and_no_half_file(folder, tmp_path, monkeypatch):
    bundle([], tmp_path / "class.tar")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "small.pth")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "addfile", full)
        code, said = run("bundle", tmp_path / "other.tar")
    assert code == 2 and "free space to write" in said and sorted(p.name for p in tmp_path.iterdir()) == ["class.tar", "mine"]
    monkeypatch.setattr("iplkit.zoo_bundle.sha256", full)
    code, said = run("unbundle", tmp_path / "class.tar", "--folder", tmp_path / "theirs")
    assert code == 2 and "free space to write" in said and not list((tmp_path / "theirs").iterdir())


def test_a_bundle_of_nothing_or_of_what_is_not_there_is_refused(folder, tmp_path):
    for names, words in ((["clip"], "a bundle needs ViT-B-32.pt; there is none"), (["clp"], "no model 'clp'")):
        with pytest.raises(UserError, match=words):
            bundle(names, tmp_path / "class.tar")
    with pytest.raises(UserError, match="at least one file"):
        bundle([], tmp_path / "class.tar", tmp_path / "empty")
    with pytest.raises(UserError, match="ends in .tar"):
        bundle([], tmp_path / "class.zip")
    assert not (tmp_path / "class.tar").exists()


def run(*words):
    done = CliRunner().invoke(main, ["zoo", *map(str, words)])
    return done.exit_code, done.output


def test_the_commands_say_what_they_did(folder, tmp_path, monkeypatch):
    code, said = run("show", "dog-pkl")
    assert code == 0 and "afhqdog.pkl, about 364 MB" in said and "never for money" in said and "f124ff3f" in said
    code, said = run("check", "--profile", "paper")
    assert code == 0 and "absent   ViT-B-32.pt" in said and "same     stylegan2-ffhq-config-f.pt" in said
    (folder / "lpips-vgg-v0.1.pth").write_bytes(b"<html>")
    code, said = run("check", "--profile", "paper")
    assert code == 1 and "WRONG    lpips-vgg-v0.1.pth needs to be weights; it is a web page" in said
    (folder / "lpips-vgg-v0.1.pth").write_bytes(b"others")
    assert run("check", "--profile", "paper")[0] == 1
    assert run("check", "--profile", "paper", "--accept", "lpips-vgg-v0.1.pth")[0] == 0
    code, said = run("bundle", tmp_path / "class.tar")
    assert code == 0 and "Bundled 2 files" in said
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(tmp_path / "theirs"))
    code, said = run("unbundle", tmp_path / "class.tar")
    assert code == 0 and (tmp_path / "theirs" / "lpips-vgg-v0.1.pth").read_bytes() == b"others"
    code, said = run("get", "generator", "clip", "--from", "hf:a/b/c")
    assert code == 2 and "several names need a folder" in said
