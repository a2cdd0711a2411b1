"""What was found, in sentences: each names a file, says what is wrong with it, and what to do."""

from dataclasses import dataclass, field
from pathlib import Path

from iplkit import paths


@dataclass
class Report:
    """What `iplkit.verify.verify` found.

    Args:
        wrong: what disagrees.
        aged: what should be made again, and is no error.
        checked: how many records and pages were looked at.
    """

    wrong: list[str] = field(default_factory=list)
    aged: list[str] = field(default_factory=list)
    checked: int = 0


def relative(path: Path) -> str:
    """A path as sentences name it: from the repository's root."""
    return path.relative_to(paths.root()).as_posix()


def again(record: dict, *, printed: bool = True) -> str:
    """The command that makes a figure or table again.

    Args:
        record: its record; only "notebook" and "tier" are read.
        printed: whether the result shall go to ``figures/`` as well.
    """
    maker = str(record.get("notebook", ""))
    if maker.endswith(".py"):
        return f"run python {maker}"
    if maker.endswith(".ipynb"):
        tier = record.get("tier", "laptop")
        return f"run iplkit regenerate {Path(maker).stem}{f' --tier {tier}' * (tier != 'laptop')}{' --keep' * printed}"
    return f"run {maker}" if maker else "run iplkit regenerate --keep"
