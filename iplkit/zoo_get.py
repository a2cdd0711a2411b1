"""Bring a file of the paper profile to where it is looked for: from its address or from a copy, checked before it counts."""

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from iplkit.errors import UserError
from iplkit.weights import atomic_path, file_kind, sha256
from iplkit.zoo import Entry, entry, path_of

CHUNK = 1 << 20


def get(name: str, source: Path | None = None, folder: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Path:
    """Put a paper file into its folder; one that is there and whole is kept.

    Args:
        name: of the paper profile, see `iplkit.zoo.entries`.
        source: a file to copy; None downloads, and nothing else here does.
        folder: where to; None takes the one that IPLKIT_PAPER_WEIGHTS names.
        progress: called with the bytes so far and all bytes, 0 if unknown.

    Returns:
        Where it stands.

    Raises:
        UserError: unknown name, no address, a web page instead of a file, another hash; nothing is left then.
    """
    found = entry(name, "paper")
    path = path_of(name, "paper", folder)
    if path.is_file():
        _check(path, found)
        return path
    with atomic_path(path) as temporary:
        if source is not None:
            file_kind(source)  # refuses a missing file
            shutil.copyfile(source, temporary)
        else:
            _download(found, temporary, progress)
        _check(temporary, found)
    return path


def _download(found: Entry, path: Path, progress: Callable[[int, int], None] | None) -> None:
    if not found.url:
        raise UserError(f"{found.file} has no lasting address; find it on its authors' page, then: iplkit zoo get {found.name} --from FILE")
    try:
        with urllib.request.urlopen(found.url) as answer, open(path, "wb") as file:
            total, done = int(answer.headers.get("Content-Length") or 0), 0
            for chunk in iter(lambda: answer.read(CHUNK), b""):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise UserError(f"{found.file} needs its address {found.url}; it does not answer ({error})") from error
    if total and done != total:
        raise UserError(f"{found.file} needs {total} bytes; {done} came, so the download was cut off")


def _check(path: Path, found: Entry) -> None:
    kind = file_kind(path)
    if kind in ("html", "empty"):
        raise UserError(f"{found.file} needs to be weights; it is {'a web page' if kind == 'html' else 'empty'}")
    if not (digest := sha256(path)).startswith(found.sha256):
        raise UserError(f"{found.file} needs a SHA-256 that begins with {found.sha256}; it has {digest}")
