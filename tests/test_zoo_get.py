import bz2
import errno
import hashlib
import shutil
import zipfile

import pytest
import small_server
from click.testing import CliRunner

from iplkit import zoo, zoo_get, zoo_paper
from iplkit.cli import main
from iplkit.download import NoFile, address, download
from iplkit.errors import UserError
from iplkit.zoo_files import LIST, check_same, recorded
from iplkit.zoo_get import check_file, get
from iplkit.zoo_paper import Copy, Facts

WEIGHTS = bytes(range(256)) * 400
HASH = hashlib.sha256(WEIGHTS).hexdigest()
PAGE = b"<!DOCTYPE html><title>Quota exceeded</title>"


@pytest.fixture
def server():
    made = small_server.Server()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(tmp_path / "weights"))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return tmp_path / "weights"


@pytest.fixture
def known(monkeypatch):
    """A function that makes one small file known, with these copies."""

    def make(*copies, sha256=""):
        monkeypatch.setitem(zoo.PROFILES, "paper", (zoo.Entry("small", "small.pth", "", "MIT", "a test", "", sha256),))
        monkeypatch.setitem(zoo_paper.FACTS, "small", Facts("https://example.org", "Anything.", copies))

    return make


def left(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_file_is_fetched_checked_and_written_down(server, folder, known):
    server.files["/a"] = WEIGHTS
    known(Copy(f"{server.url}/a", HASH, len(WEIGHTS)))
    seen = []
    assert get("small", progress=lambda done, total: seen.append((done, total))).read_bytes() == WEIGHTS
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert recorded(folder)["small.pth"]["sha256"] == HASH and left(folder) == [LIST, "small.pth"]
    get("small")
    assert len(server.seen) == 1


def test_a_broken_line_goes_on_where_it_broke(server, folder, known):
    server.files["/a"], server.cut["/a"] = WEIGHTS, 30_000
    known(Copy(f"{server.url}/a", HASH))
    assert get("small").read_bytes() == WEIGHTS
    (_, first), (_, second) = server.seen
    assert first is None and second.startswith("bytes=") and second != "bytes=0-"


def test_a_later_try_goes_on_where_an_earlier_one_gave_up(server, folder, known, monkeypatch):
    server.files["/a"], server.cut["/a"] = WEIGHTS, 30_000
    known(Copy(f"{server.url}/a", HASH))
    monkeypatch.setattr("iplkit.download.TRIES", 1)
    with pytest.raises(UserError, match="bytes are kept and the next try goes on from there"):
        get("small")
    assert left(folder) == ["small.pth.part", "small.pth.part.json"]
    assert get("small").read_bytes() == WEIGHTS
    assert server.seen[1][1].startswith("bytes=") and left(folder) == [LIST, "small.pth"]


@pytest.mark.parametrize("change", ["another version", "no ranges"])
def test_a_server_that_cannot_go_on_is_asked_for_all_again(server, folder, known, monkeypatch, change):
    server.files["/a"], server.cut["/a"] = WEIGHTS[::-1] if change == "another version" else WEIGHTS, 30_000
    known(Copy(f"{server.url}/a", HASH))
    monkeypatch.setattr("iplkit.download.TRIES", 1)
    with pytest.raises(UserError):
        get("small")
    server.files["/a"], server.version = WEIGHTS, '"two"' if change == "another version" else server.version
    server.plain.add("/a")
    assert get("small").read_bytes() == WEIGHTS


def test_the_next_address_is_tried_where_one_fails(server, folder, known):
    server.files |= {"/page": PAGE, "/typed": b"sign in", "/short": WEIGHTS[:999], "/other": WEIGHTS[::-1], "/good": WEIGHTS}
    server.types["/typed"], server.status["/gone"] = "text/html; charset=utf-8", 503
    bad = ("/page", "/typed", "/gone", "/nowhere", "/short", "/other")
    known(*(Copy(server.url + path, HASH, len(WEIGHTS)) for path in (*bad, "/good")))
    assert get("small").read_bytes() == WEIGHTS
    assert [path for path, _ in server.seen] == [*bad, "/good"] and left(folder) == [LIST, "small.pth"]


@pytest.mark.parametrize("content, size, words", [
    (PAGE, 0, "it is a web page"),
    (b"", 0, "it is empty"),
    (WEIGHTS[:999], len(WEIGHTS), "needs 102400 bytes; it has 999"),
    (WEIGHTS[::-1], 0, "needs a SHA-256 that begins with"),
    (None, 0, "answers 404"),
])  # fmt: skip
def test_what_is_not_the_file_ends_in_one_sentence_and_leaves_nothing(server, folder, known, content, size, words):
    if content is not None:
        server.files["/a"] = content
    known(Copy(f"{server.url}/a", HASH, size))
    with pytest.raises(UserError, match=words) as refusal:
        get("small")
    assert "\n" not in str(refusal.value) and not left(folder)


def test_no_network_is_one_sentence(server, folder, known):
    url = server.url
    known(Copy(f"{url}1/a"), Copy("https://no.such.host.invalid/a"))
    with pytest.raises(UserError, match="does not answer .*; https://no.such.host.invalid/a does not answer"):
        get("small")
    assert not left(folder)


def test_an_archive_of_the_file_is_refused_wherever_it_comes_from(server, folder, known, tmp_path):
    with zipfile.ZipFile(tmp_path / "small.pth", "w") as archive:
        archive.writestr("weights/small.pth", WEIGHTS)
    server.files["/a"] = (tmp_path / "small.pth").read_bytes()
    known(Copy(f"{server.url}/a"))
    for source in (None, tmp_path):
        with pytest.raises(UserError, match="an archive with weights/small.pth inside, so unpack it first"):
            get("small", source)
    assert not left(folder)


@pytest.mark.parametrize("content", ["no network", "full disk"])
def test_the_command_says_it_in_one_line(server, folder, known, monkeypatch, content):
    server.files["/a"] = WEIGHTS
    known(Copy(f"{server.url}/a" if content == "full disk" else "https://no.such.host.invalid/a", HASH))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 5))
    done = CliRunner().invoke(main, ["zoo", "get", "small"])
    assert done.exit_code == 2 and len(done.stderr.strip().splitlines()) == 1 and not left(folder)
    assert ("free space" if content == "full disk" else "does not answer") in done.stderr


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(server, folder, known, monkeypatch, when):
    server.files["/a"] = WEIGHTS
    known(Copy(f"{server.url}/a", HASH))
    if when == "before":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 5))
    else:

        def full(*_):
            (folder / "small.pth.part").write_bytes(b"some")
            raise OSError(errno.ENOSPC, "no space", str(folder / "small.pth"))

        monkeypatch.setattr("iplkit.download._pour", full)
    with pytest.raises(UserError, match="the disk needs free space to write .*small.pth; it is full, and nothing half-written was left"):
        get("small")
    assert not left(folder)


def test_a_packed_file_is_unpacked_and_its_packed_bytes_are_checked(server, folder, known):
    packed = bz2.compress(WEIGHTS)
    server.files |= {"/a": packed[:-9], "/b": packed}
    known(*(Copy(f"{server.url}/{name}", hashlib.sha256(packed).hexdigest(), 0, "bz2") for name in "ab"))
    assert get("small").read_bytes() == WEIGHTS and left(folder) == [LIST, "small.pth"]


def test_a_bomb_of_a_packed_file_is_refused(server, folder, known, monkeypatch):
    server.files["/a"] = bz2.compress(bytes(3 << 20))
    known(Copy(f"{server.url}/a", "", 0, "bz2"))
    monkeypatch.setattr(zoo_get, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(UserError, match="unpack to at most"):
        get("small")
    assert not left(folder)


def test_a_file_a_folder_or_an_address_can_be_the_source(server, folder, known, tmp_path):
    server.files["/a"] = WEIGHTS
    known()
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "small.pth").write_bytes(WEIGHTS)
    for source in (tmp_path / "usb", tmp_path / "usb" / "small.pth", f"{server.url}/a"):
        assert get("small", source).read_bytes() == WEIGHTS
        shutil.rmtree(folder)
    with pytest.raises(UserError, match="no lasting address; find it on https://example.org, then: iplkit zoo get small --from FILE"):
        get("small")
    with pytest.raises(UserError, match="there is none at"):
        get("small", tmp_path / "nowhere")
    assert not left(folder)


def test_the_hub_is_an_address_and_its_mirror_can_be_named(server, folder, known, monkeypatch):
    assert address("hf:a/b/c/d.pt") == "https://huggingface.co/a/b/resolve/main/c/d.pt"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.files["/some/repository/resolve/main/deep/small.pth"] = WEIGHTS
    known(Copy("hf:some/repository/deep/small.pth", HASH))
    assert get("small").read_bytes() == WEIGHTS


def test_what_the_hubs_library_has_already_is_not_fetched_again(folder, known, tmp_path, monkeypatch):
    import huggingface_hub

    (tmp_path / "cached").write_bytes(WEIGHTS)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repository, file: str(tmp_path / "cached"))
    known(Copy("hf:some/repository/small.pth", HASH))
    assert get("small").read_bytes() == WEIGHTS


def test_the_first_use_is_written_down_and_a_change_is_refused(folder, known):
    known(Copy("https://example.org/a"))
    folder.mkdir()
    (folder / "small.pth").write_bytes(WEIGHTS)
    assert check_same(get("small")) == HASH
    (folder / "small.pth").write_bytes(WEIGHTS[::-1])
    with pytest.raises(UserError, match="the SHA-256 of its first use.*--accept small.pth"):
        get("small")
    (folder / "small.pth").write_bytes(WEIGHTS)
    assert check_same(folder / "small.pth") == HASH
    (folder / LIST).write_text("[]")
    with pytest.raises(UserError, match="it is damaged, so remove it"):
        check_same(folder / "small.pth")


def test_a_model_of_the_papers_is_known_again_when_it_is_loaded(folder):
    from iplkit.stylegan2.checkpoints import save_rosinality
    from iplkit.stylegan2.generator import Generator, GeneratorConfig

    path = folder / zoo.entry("generator", "paper").file
    for seed, words in ((0, None), (1, "first use")):
        save_rosinality(path, Generator(GeneratorConfig(8, (3, 2), 4, 4, 2), seed))
        if words is None:
            assert zoo.load("generator", "paper").config.size == 8
        else:
            with pytest.raises(UserError, match=words):
                zoo.load("generator", "paper")


def test_a_hash_of_any_known_copy_will_do_and_none_is_needed_where_one_is_unknown(folder, known, tmp_path):
    path = tmp_path / "small.pth"
    path.write_bytes(WEIGHTS)
    for copies, want in (((Copy("x", HASH), Copy("y", "0" * 64)), "published"), ((Copy("x"), Copy("y", "0" * 64)), "unknown"), ((), "unknown")):
        known(*copies)
        assert check_file(path, zoo.entry("small", "paper")) == want
    known(Copy("x", "1" * 64), Copy("y", "0" * 64))
    with pytest.raises(UserError, match="begins with 1+ or 0+; it has"):
        check_file(path, zoo.entry("small", "paper"))


def test_a_server_that_falls_silent_counts_as_gone(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(NoFile, match="does not answer"):
            download(f"http://127.0.0.1:{silent.getsockname()[1]}/a", tmp_path / "a.part", silence=0.05)


def test_every_published_file_has_its_facts():
    entries = zoo.entries("paper")
    assert len({e.name for e in entries}) == len({e.file for e in entries}) == len(entries)
    for found in entries:
        facts = zoo_paper.FACTS[found.name]
        assert facts.page.startswith("https://") and facts.limits.endswith(".") and found.license and found.purpose
        for copy in facts.copies:
            assert copy.url.startswith(("https://", "http://dlib.net/", "hf:")) and len(copy.sha256) in (0, 64)
            assert copy.sha256 == copy.sha256.lower() and set(copy.sha256) <= set("0123456789abcdef")
    names = {e.name for e in entries}
    assert {"generator", "dog-pkl", "cat-pkl", "church-pkl", "car-pkl", "horse-pkl", "e4e", "psp", "restyle-psp", "ipl-disney", "nada-sketch"} <= names
    assert {"styleclip-fs3-ffhq", "styleclip-mean-std", "mapper-afro", "clip-b16", "dlib-landmarks", "hed", "vgg16", "identity"} <= names
