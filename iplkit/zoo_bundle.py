"""One archive for a classroom without internet: chosen files, a manifest with hashes and licences, and a page for people.

A tar file, not packed further, since weights do not get smaller. The manifest comes first, so a reader knows what follows.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from iplkit.errors import UserError
from iplkit.files import atomic_path, sha256
from iplkit.zoo import Entry, entries, entry, path_of
from iplkit.zoo_files import check_same, write_down
from iplkit.zoo_get import check_file, facts

MANIFEST, PAGE = "manifest.json", "READ_ME.txt"
MAX_MANIFEST = 1 << 20
CHUNK = 1 << 20


def bundle(names: Iterable[str], target: str | Path, folder: Path | None = None) -> list[dict]:
    """Write an archive of the reader's files.

    Args:
        names: of the paper profile; none means all that are there.
        target: the archive, a ``.tar``.
        folder: where they stand; None takes the one that IPLKIT_PAPER_WEIGHTS names.

    Returns:
        The manifest's lines: name, file, size, sha256, license, limits, page, purpose.

    Raises:
        UserError: an unknown name, a missing or changed file, nothing to bundle, or another ending than .tar.
    """
    target = Path(target)
    if target.suffix != ".tar":
        raise UserError(f"a bundle needs a name that ends in .tar; got {target.name}")
    chosen = [entry(name, "paper") for name in dict.fromkeys(names)]
    chosen = chosen or [e for e in entries("paper") if path_of(e.name, "paper", folder).is_file()]
    if not chosen:
        raise UserError("a bundle needs at least one file; none of the paper's files is there")
    lines = [_line(e, path_of(e.name, "paper", folder)) for e in chosen]
    with atomic_path(target) as temporary, tarfile.open(temporary, "w") as archive:
        _add(archive, MANIFEST, json.dumps({"kind": "iplkit bundle", "version": 1, "files": lines}, indent=1).encode())
        _add(archive, PAGE, _page(lines).encode())
        for found in chosen:
            path = path_of(found.name, "paper", folder)
            with open(path, "rb") as file:
                archive.addfile(_member(found.file, path.stat().st_size), file)
    return lines


def unbundle(source: str | Path, folder: Path) -> list[dict]:
    """Put the files of an archive into a folder: all of them, or none.

    Args:
        source: what `bundle` wrote.
        folder: where to; a file that is there with the same bytes is kept.

    Returns:
        The manifest's lines.

    Raises:
        UserError: anything but a whole bundle; a name that would leave the folder; a size or hash that is not the
            manifest's; a file there with other bytes.
    """
    folder, waiting = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(source, "r:") as archive:
            lines = _manifest(archive)
            _refuse_other_bytes(lines, folder)
            waiting = [folder / f".{line['file']}.unbundled" for line in lines]
            for line in lines:
                _take(archive, line, folder / f".{line['file']}.unbundled")
        for line in lines:
            (folder / f".{line['file']}.unbundled").replace(folder / line["file"])
    except FileNotFoundError as error:
        raise UserError(f"a bundle needs to exist; there is none at {source}") from error
    except (tarfile.TarError, EOFError, KeyError, TypeError, AttributeError, UnicodeError, RecursionError, json.JSONDecodeError) as error:
        raise UserError(f"{source} needs to be a whole bundle of iplkit; it is something else or damaged") from error
    finally:
        for path in waiting:
            path.unlink(missing_ok=True)
    for line in lines:
        write_down(folder / line["file"], line["sha256"])
    return lines


def _line(found: Entry, path: Path) -> dict:
    if not path.is_file():
        raise UserError(f"a bundle needs {found.file}; there is none in {path.parent}, get it with: iplkit zoo get {found.name}")
    check_file(path, found)
    digest, told = check_same(path), facts(found.name)
    line = {"name": found.name, "file": found.file, "size": path.stat().st_size, "sha256": digest}
    return line | {"license": found.license, "limits": told.limits, "page": told.page, "purpose": found.purpose}


def _page(lines: list[dict]) -> str:
    parts = ["Weights for iplkit. Put them into place with: iplkit zoo unbundle FILE.tar\nWhoever gets this file gets these terms with it.\n"]
    parts += [f"{e['file']}\n  {e['purpose']}\n  licence: {e['license']}. {e['limits']}\n  from: {e['page']}\n  SHA-256: {e['sha256']}\n" for e in lines]
    return "\n".join(parts)


def _member(name: str, size: int) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.mode = size, 0o644  # no time and no owner: equal files make equal bundles
    return found


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_member(name, len(content)), io.BytesIO(content))


def _manifest(archive: tarfile.TarFile) -> list[dict]:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST:
        raise UserError(f"{archive.name} needs to be a bundle of iplkit, which begins with {MANIFEST}; it does not")
    content = json.loads(archive.extractfile(first).read())
    if content["kind"] != "iplkit bundle" or content["version"] != 1:
        raise UserError(f"{archive.name} needs to be a bundle of version 1; it is another")
    known = {e.file for e in entries("paper")}
    for line in content["files"]:
        if line["file"] not in known:
            raise UserError(f"{archive.name} needs to hold files of the paper profile only; it names {str(line['file'])[:60]!r}")
    names = [line["file"] for line in content["files"]]
    members = [m.name for m in archive.getmembers()]
    if sorted(members) != sorted([MANIFEST, PAGE, *names]) or not all(m.isreg() for m in archive.getmembers()):
        raise UserError(f"{archive.name} needs to hold exactly what its manifest names, as plain files; it holds {len(members)} other or missing ones")
    return content["files"]


def _refuse_other_bytes(lines: list[dict], folder: Path) -> None:
    for line in lines:
        path = folder / line["file"]
        if path.exists() and sha256(path) != line["sha256"]:
            raise UserError(f"{path} needs to be absent or the bundle's file; it is another, so move it away first")


def _take(archive: tarfile.TarFile, line: dict, temporary: Path) -> None:
    member = archive.getmember(line["file"])
    if member.size != line["size"]:
        raise UserError(f"{line['file']} needs {line['size']} bytes; the bundle has {member.size}")
    with archive.extractfile(member) as packed, open(temporary, "wb") as file:
        while chunk := packed.read(CHUNK):
            file.write(chunk)
    if (digest := sha256(temporary)) != line["sha256"]:
        raise UserError(f"{line['file']} needs SHA-256 {str(line['sha256'])[:64]}; it has {digest}")
