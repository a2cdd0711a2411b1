"""Shipped weights and their cards against the lists of hashes, and each card against its weights."""

import json
from pathlib import Path

from iplkit import paths
from iplkit.checks.report import Report, relative
from iplkit.checks.stored import digest_of

REMEDY = "restore it, or ship the model again with iplkit models --ship"


def check_cards(report: Report) -> None:
    """Every shipped weight and every card is the one that was shipped, and a card is about the weights beside it."""
    folder = paths.root() / "iplkit" / "shipped"
    weights, cards = _listed(folder / "hashes.json"), _listed(folder / "cards.json")
    for name, listed in (("hashes.json", weights), ("cards.json", cards)):
        if not listed and any(folder.glob("*.safetensors")):
            report.wrong.append(f"{relative(folder / name)}: lists nothing; {REMEDY}")
    for path in [*(folder / name for name in weights), *(folder / "cards" / name for name in cards)]:
        report.checked += 1
        digest = (cards if path.parent.name == "cards" else weights)[path.relative_to(folder).as_posix().removeprefix("cards/")]
        if digest_of(path) != digest:
            report.wrong.append(f"{relative(path)}: is not the file that was shipped; {REMEDY}")
    for path in sorted((folder / "cards").glob("*.json")):
        if path.name not in cards:
            report.wrong.append(f"{relative(path)}: is in no list of shipped cards; {REMEDY}")
        elif (about := _about(path)) not in weights.items():
            report.wrong.append(f"{relative(path)}: is about another {about[0]} than the one that is shipped; {REMEDY}")


def _listed(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _about(card: Path) -> tuple[str, str]:
    """The weights that a card describes: file and hash."""
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
        return found["file"], found["sha256"]
    except (ValueError, KeyError, TypeError):
        return "file", ""
