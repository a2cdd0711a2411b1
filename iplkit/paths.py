"""Where things live, whatever folder a notebook was started from."""

import re
from pathlib import Path

from iplkit.errors import UserError

TIERS = ("smoke", "laptop", "full")
PROFILES = ("world", "paper")


def root() -> Path:
    """The repository: the nearest folder at or above the working directory that holds ``_toc.yml`` and ``iplkit/``.

    Where there is none, the folder the package itself was installed from, and else the working directory.
    """
    here = Path.cwd()
    home = Path(__file__).resolve().parent.parent
    return next((p for p in (here, *here.parents, home) if (p / "_toc.yml").is_file() and (p / "iplkit").is_dir()), here)


def slug(text: str) -> str:
    """A phrase as part of a file name: ``"wall painting"`` -> ``"wall-painting"``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def run_folder(tier: str = "laptop", profile: str = "world") -> Path:
    """What one tier and profile compute goes here; another tier never overwrites it.

    Raises:
        UserError: if the tier or the profile is unknown.
    """
    if tier not in TIERS:
        raise UserError(f"tier needs to be one of {', '.join(TIERS)}; it is {tier!r}")
    if profile not in PROFILES:
        raise UserError(f"profile needs to be one of {', '.join(PROFILES)}; it is {profile!r}")
    return root() / "_build" / "run" / f"{profile}-{tier}"


def figures(out: str | Path = "") -> Path:
    """Folder for figures, tables and their records; made if it is missing.

    Args:
        out: relative to `root`, or absolute; empty (a notebook run by hand) means ``_build/by-hand/figures``,
            so that nobody overwrites the printed figures by accident.
    """
    folder = root() / (out or "_build/by-hand/figures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def adapted_name(method: str, target: str, *, source: str = "photo", seed: int = 0) -> str:
    """File name of an adapted generator: ``ipl-photo-to-ukiyo-e-seed0.safetensors``."""
    return f"{slug(method)}-{slug(source)}-to-{slug(target)}-seed{seed}.safetensors"


def adapted_path(method: str, target: str, tier: str = "laptop", *, profile: str = "world", source: str = "photo", seed: int = 0) -> Path:
    """An adapted generator that the workflow trained; notebooks name it with literals, so that the workflow knows.

    Returns:
        Path of the file. Its training log stands beside it, with the ending ``.json``.

    Raises:
        UserError: if it has not been made yet; the sentence holds the command that makes it.
    """
    path = run_folder(tier, profile) / "adapted" / adapted_name(method, target, source=source, seed=seed)
    if not path.is_file():
        extra = (f" --profile {profile}" if profile != "world" else "") + (f" --seed {seed}" if seed else "")
        command = f'iplkit adapt --source "{source}" --target "{target}" --method {method} --tier {tier}{extra}'
        raise UserError(f"the adapted generator {path.name} is needed and not made yet; make it with: {command}")
    return path
