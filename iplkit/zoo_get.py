"""Bring a file of the paper profile to where it is looked for: from its addresses in order, or from a copy; checked before it counts."""

import bz2
import errno
import importlib.util
import shutil
from pathlib import Path

from iplkit.download import NoFile, Progress, download, drop
from iplkit.errors import UserError, full_disk
from iplkit.weights import atomic_path, file_kind, sha256, zip_inside
from iplkit.zoo import Entry, entry, path_of
from iplkit.zoo_files import check_same, write_down
from iplkit.zoo_paper import FACTS, Copy, Facts

CHUNK = 1 << 20
MAX_UNPACKED = 4 << 30


def get(name: str, source: str | Path | None = None, folder: Path | None = None, progress: Progress | None = None) -> Path:
    """Put a paper file into its folder; one that is there and whole is kept.

    Args:
        name: of the paper profile, see `iplkit.zoo.entries`.
        source: a file or a folder with it to copy from, or an address; None downloads from the known ones.
        folder: where to; None takes the one that IPLKIT_PAPER_WEIGHTS names.
        progress: called with the bytes so far and all bytes, 0 if unknown.

    Returns:
        Where it stands.

    Raises:
        UserError: unknown name, no address, a web page instead of a file, another hash, a full disk. The file then
            does not stand there; what came of it is kept beside only if a later try can go on from it.
    """
    found = entry(name, "paper")
    path = path_of(name, "paper", folder)
    if path.is_file():
        check_file(path, found)
        check_same(path)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    if source is not None and not _is_address(source):
        _copy(Path(source), path, found)
    else:
        _from_first(copies(found) if source is None else (Copy(str(source)),), path, found, progress)
    write_down(path)
    return path


def facts(name: str) -> Facts:
    """What is known about a file; a file without a page of facts has empty ones."""
    return FACTS.get(name, Facts("", ""))


def copies(found: Entry) -> tuple[Copy, ...]:
    """All addresses of a file, in the order in which they are tried."""
    own = (Copy(found.url, found.sha256),) if found.url else ()
    return own + facts(found.name).copies


def check_file(path: Path, found: Entry, copy: Copy | None = None) -> str:
    """Refuse what cannot be the file.

    Args:
        path: the file.
        found: what it should be.
        copy: the address that it came from; None if that is unknown: then a hash of any known copy will do, and if
            one of the copies has none, any hash will.

    Returns:
        Where its hash is from: "published", or "unknown" where none is.

    Raises:
        UserError: a web page, an empty file, or another hash.
    """
    kind = file_kind(path)
    if kind in ("html", "empty"):
        raise UserError(f"{found.file} needs to be weights; it is {'a web page' if kind == 'html' else 'empty'}")
    if packed := zip_inside(path):
        raise UserError(f"{found.file} needs to be weights; it is an archive with {packed} inside, so unpack it first")
    if found.sha256:
        wanted, strict = [found.sha256], True
    else:
        known = copies(found) if copy is None else (copy,)
        wanted, strict = [c.sha256 for c in known if c.sha256 and not c.packed], bool(known) and all(c.sha256 for c in known)
    if not wanted:
        return "unknown"
    digest = sha256(path)
    if digest.startswith(tuple(wanted)):
        return "published"
    if strict:
        raise UserError(f"{found.file} needs a SHA-256 that begins with {' or '.join(wanted)}; it has {digest}")
    return "unknown"


def _is_address(source: str | Path) -> bool:
    return str(source).startswith(("http://", "https://", "hf:"))


def _copy(source: Path, path: Path, found: Entry) -> None:
    source = source / found.file if source.is_dir() else source
    file_kind(source)  # refuses a missing file
    try:
        with atomic_path(path) as temporary:
            shutil.copyfile(source, temporary)
            check_file(temporary, found)
    except OSError as error:
        raise UserError(full_disk(error) or f"{source} needs to be readable; {error.strerror}") from error


def _from_first(known: tuple[Copy, ...], path: Path, found: Entry, progress: Progress | None) -> None:
    if not known:
        page = facts(found.name).page or "its authors' page"
        raise UserError(f"{found.file} has no lasting address; find it on {page}, then: iplkit zoo get {found.name} --from FILE")
    reasons = []
    for copy in known:
        try:
            return _from(copy, path, found, progress)
        except UserError as error:
            if len(known) == 1 and not isinstance(error, NoFile):
                raise
            if not isinstance(error, (NoFile, WrongFile)):
                raise
            reasons.append(f"{copy.url} {error}")
    raise UserError(f"{found.file} needs one of its addresses; {'; '.join(reasons)}")


class WrongFile(UserError):
    """What an address gave is not the file."""


def _from(copy: Copy, path: Path, found: Entry, progress: Progress | None) -> None:
    part = path.with_name(f"{path.name}.part")
    if (there := _in_hub_cache(copy.url)) is not None:
        shutil.copyfile(there, part)
    else:
        download(copy.url, part, progress)
    try:
        if copy.size and part.stat().st_size != copy.size:
            raise WrongFile(f"{found.file} needs {copy.size} bytes; it has {part.stat().st_size}")
        if copy.packed:
            _unpack(part, copy)
        check_file(part, found, Copy(copy.url) if copy.packed else copy)
    except UserError as error:
        drop(part)
        raise error if isinstance(error, WrongFile) else WrongFile(str(error)) from error
    part.replace(path)


def _unpack(part: Path, copy: Copy) -> None:
    """Unpack in place, a piece at a time, and never more than a weight can have."""
    if copy.sha256 and (digest := sha256(part)) != copy.sha256:
        raise UserError(f"the packed file needs SHA-256 {copy.sha256}; it has {digest}")
    done = 0
    try:
        with atomic_path(part.with_name(f"{part.name}.whole")) as temporary:
            with bz2.open(part) as packed, open(temporary, "wb") as file:
                while chunk := packed.read(CHUNK):
                    if (done := done + len(chunk)) > MAX_UNPACKED:
                        raise UserError(f"the file needs to unpack to at most {MAX_UNPACKED >> 30} GB; it goes on")
                    file.write(chunk)
        part.with_name(f"{part.name}.whole").replace(part)
    except (OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(full_disk(error)) from error
        raise UserError("the packed file needs to be whole; it is damaged") from error


def _in_hub_cache(url: str) -> Path | None:
    """A file that the Hub's own library has on this machine already, for example because open_clip asked for it."""
    if not url.startswith("hf:") or importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    owner, repository, file = url.removeprefix("hf:").split("/", 2)
    found = try_to_load_from_cache(f"{owner}/{repository}", file)
    return Path(found) if isinstance(found, str) else None
