"""Which files of the profile "paper" a reader has, and what to type for those that are missing."""

import json
import os
from functools import lru_cache
from pathlib import Path

from iplkit.errors import UserError

LIST = "synthetic.json"  # in a folder: file -> SHA-256 of those with random weights


def names_of(text: str) -> list[str]:
    """The names in "generator, clip"."""
    return [name.strip() for name in text.split(",") if name.strip()]


def there(name: str) -> bool:
    """Whether the reader's folder holds a model's file."""
    return (path := path_if_named(name)) is not None and path.is_file()


def why_not(needed: list[str]) -> str:
    """Why a notebook cannot run: the end of a sentence with the command that helps; empty if it can.

    Raises:
        UserError: if a name is not in the zoo.
    """
    from iplkit.zoo import PAPER_FOLDER, entry

    missing = [name for name in needed if not there(entry(name, "paper").name)]
    if not missing:
        return ""
    unset = "" if os.environ.get(PAPER_FOLDER) else f"; first name a folder for them: export {PAPER_FOLDER}=FOLDER"
    return f"needs {' and '.join(missing)}, and not all of it is there; get it with: {commands(missing)}{unset}"


def commands(names: list[str]) -> str:
    """What to type to get some models."""
    return " && ".join(f"iplkit zoo get {name}" for name in names)


def path_if_named(name: str) -> Path | None:
    from iplkit.zoo import path_of

    try:
        return path_of(name, "paper")
    except UserError:
        return None


def is_random(name: str) -> bool:
    """Whether a model's file holds random weights that `iplkit.synthetic` wrote."""
    return (path := path_if_named(name)) is not None and path.is_file() and is_synthetic(path)


def is_synthetic(path: Path) -> bool:
    """Whether a file is on its folder's list of random weights."""
    return Path(path).name in synthetic(Path(path).parent)


@lru_cache
def synthetic(folder: Path) -> dict[str, str]:
    """File name -> SHA-256 of what `iplkit.synthetic.make` wrote into a folder; empty for any other folder."""
    path = Path(folder) / LIST
    return dict(json.loads(path.read_text(encoding="utf-8"))["files"]) if path.is_file() else {}


def hash_of(name: str) -> str:
    """SHA-256 of a model's file, for records; what the profile does not have, no number came from."""
    from iplkit.zoo import entries

    path = path_if_named(name) if any(found.name == name for found in entries("paper")) else None
    return _hash(path, path.stat().st_mtime_ns) if path is not None and path.is_file() else "not used with these models"


@lru_cache
def _hash(path: Path, _changed: int) -> str:
    from iplkit.files import sha256

    return sha256(path)
