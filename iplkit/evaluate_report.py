"""The result of a comparison: scores, what was skipped and why, as a table or as JSON."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

from iplkit.errors import UserError
from iplkit.metrics.score import Score
from iplkit.weights import atomic_path

FORMATS = (".csv", ".json")
COLUMNS = ("metric", "name", "of", "value", "spread", "low", "high", "num_real", "num_fake", "extractor", "sha256", "random", "protocol", "note")


def check_out(out: Path | None) -> None:
    """Refuse a result file that could not be written, before anything is computed.

    Raises:
        UserError: an ending that is neither ``.csv`` nor ``.json``, or a folder.
    """
    if out is not None and (Path(out).suffix not in FORMATS or Path(out).is_dir()):
        raise UserError(f"the result needs a file that ends in {' or '.join(FORMATS)}; got {out}")


@dataclass(frozen=True)
class Report:
    """What was compared and what came out.

    Args:
        a, b: origin of each side.
        profile: whose networks.
        seed: of latents and bootstrap.
        scores: in the order of the table; settings hold "metric", "of" and "random".
        skipped: metric -> reason.
    """

    a: dict
    b: dict
    profile: str
    seed: int
    scores: list[Score]
    skipped: dict[str, str]

    def to_json(self) -> dict:
        """Plain numbers and words; a number that is not finite becomes None."""
        page = {"a": self.a, "b": self.b, "profile": self.profile, "seed": self.seed, "skipped": self.skipped}
        return _finite(page | {"scores": [score.to_json() for score in self.scores]})

    def rows(self) -> list[dict]:
        """One row a score, then one row a skipped metric with its reason in "note"."""
        rows = []
        for score in self.scores:
            low, high = score.interval or (None, None)
            row = {"metric": score.settings["metric"], "name": score.name, "of": score.settings["of"], "value": score.value}
            row |= {"spread": score.spread, "low": low, "high": high, "num_real": score.num_real, "num_fake": score.num_fake}
            row |= {"extractor": score.extractor, "sha256": score.extractor_hash, "random": score.settings["random"]}
            rows.append(row | {"protocol": score.protocol, "note": note(score)})
        return rows + [{"metric": name, "note": f"skipped: {why}"} for name, why in self.skipped.items()]

    def write(self, out: Path) -> None:
        """Write ``.csv`` or ``.json``, whole or not at all."""
        check_out(out)
        with atomic_path(out) as temporary:
            if Path(out).suffix == ".json":
                temporary.write_text(json.dumps(self.to_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
                return
            with open(temporary, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(self.rows())

    def lines(self) -> list[str]:
        """For a terminal: a line a score, then what was skipped."""
        found = []
        for score in self.scores:
            of = "" if score.settings["of"] == "A and B" else f" of {score.settings['of']}"
            mark = f"  {note(score)}" if note(score) else ""
            interval = f" [{score.interval[0]:.4g}, {score.interval[1]:.4g}]" if score.interval else ""
            found.append(f"{score.settings['metric'] + of:<26}{score.value:>10.4g}{interval}  ({score.num_real} and {score.num_fake} images){mark}")
        return found + [f"{name:<26}   skipped: {why}" for name, why in self.skipped.items()]


def note(score: Score) -> str:
    """What a reader must know beside the value."""
    notes = ["RANDOM WEIGHTS, the value means nothing"] if score.settings["random"] else []
    if score.settings["extractor_protocol"].get("role") == "training objective":
        notes.append("training objective, judges nothing")
    return "; ".join(notes)


def _finite(value):
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
