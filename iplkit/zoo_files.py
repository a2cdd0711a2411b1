"""A reader's files: written down when they are first used, and known again afterwards.

The list stands beside the weights, ``hashes.json``: file -> hash, size and time of change. Size and time only say whether
the file must be hashed again.
"""

import json
from pathlib import Path

from iplkit.errors import UserError
from iplkit.files import atomic_path, sha256
from iplkit.weights import file_kind

LIST = "hashes.json"


def recorded(folder: str | Path) -> dict[str, dict]:
    """File -> what was written down about it; empty if nothing was.

    Raises:
        UserError: if the list is damaged.
    """
    path = Path(folder) / LIST
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: {"sha256": str(e["sha256"]), "size": int(e["size"]), "mtime_ns": int(e["mtime_ns"])} for name, e in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} needs to be the list of the hashes of your files; it is damaged, so remove it and check your files") from error


def write_down(path: Path, digest: str | None = None) -> str:
    """Write down a file's hash, in place of what was there; a folder that cannot be written keeps no list.

    Returns:
        The hash.
    """
    digest, found = digest or sha256(path), path.stat()
    listed = recorded(path.parent) | {path.name: {"sha256": digest, "size": found.st_size, "mtime_ns": found.st_mtime_ns}}
    try:
        with atomic_path(path.parent / LIST) as temporary:
            temporary.write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except PermissionError:  # a shared folder of a classroom
        pass
    return digest


def check_same(path: str | Path) -> str:
    """The hash of a file that is the one of its first use; this is the first use if there was none.

    Raises:
        UserError: if there is no such file, or it has changed.
    """
    path = Path(path)
    file_kind(path)  # refuses a missing file
    known, now = recorded(path.parent).get(path.name), path.stat()
    if known and (known["size"], known["mtime_ns"]) == (now.st_size, now.st_mtime_ns):
        return known["sha256"]
    digest = sha256(path)
    if known and digest != known["sha256"]:
        raise UserError(
            f"{path} needs the SHA-256 of its first use, {known['sha256']}; it has {digest} now, "
            f"and if you changed it yourself: iplkit zoo check --profile paper --accept {path.name}"
        )
    return write_down(path, digest)
