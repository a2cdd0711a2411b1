"""An edit as data: who is drawn, by which generator, and which rows move along which direction how far.

`Edit` is the value; `to_record` and `from_record` turn it into one small JSON object and back, `write_edit` and
`read_edit` do so with a file. The live page writes and reads the same files (``book/_static/live/edit.js``).

What can be named is known before a file is read: `Known` holds the models with their hashes and the directions with
their origin, so that a file from elsewhere is refused instead of drawing another picture.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from iplkit.errors import UserError
from iplkit.weights import atomic_path

KIND, VERSION = "iplkit edit", 1
DIGITS = 16  # of a SHA-256: enough to tell two files apart
LATENT = ("seed", "psi", "second", "crossover")
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Move:
    """Some rows of W+ along one direction.

    Args:
        direction: its name.
        rows: which rows, each once, in order.
        strength: in lengths of the direction.
    """

    direction: str
    rows: tuple[int, ...]
    strength: float


@dataclass(frozen=True)
class Edit:
    """One picture, described.

    Args:
        seed: whose w.
        psi: truncation; 1 leaves w, 0 gives the middle.
        second: whose w fills the rows from `crossover` on.
        crossover: see there; the number of rows means that none is filled.
        domain: name of an adapted generator, or empty for the source.
        share: of its weights: 0 the source's, 1 the adapted ones.
        moves: see `Move`; they add up.
    """

    seed: int
    psi: float
    second: int
    crossover: int
    domain: str = ""
    share: float = 1.0
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Known:
    """What an edit can name here.

    Args:
        num_ws: rows of W+.
        model: name of the source generator.
        models: name -> SHA-256, for the source generator and for each adapted one.
        directions: their names, in order.
        origin: how the directions were made, plain values; the same origin gives the same directions.
    """

    num_ws: int
    model: str
    models: Mapping[str, str]
    directions: tuple[str, ...]
    origin: Mapping[str, str | int] = field(default_factory=dict)

    def identity(self, name: str) -> dict[str, str]:
        """How a file names a model."""
        return {"name": name, "sha256": self.models[name][:DIGITS]}


def to_record(edit: Edit, known: Known) -> dict:
    """The edit as a file holds it; `from_record` brings it back."""
    latent = {name: getattr(edit, name) for name in LATENT}
    moves = [{"direction": move.direction, "rows": list(move.rows), "strength": move.strength} for move in edit.moves]
    record = {"kind": KIND, "version": VERSION, "model": known.identity(known.model), "latent": latent}
    if edit.domain:
        record["domain"] = known.identity(edit.domain) | {"share": edit.share}
    return record | ({"directions": dict(known.origin), "moves": moves} if moves else {})


def from_record(record: Mapping, known: Known) -> Edit:
    """The edit that a file holds.

    Raises:
        UserError: if it is no edit, misses or adds a part, or names what is not known here.
    """
    if not isinstance(record, Mapping) or record.get("kind") != KIND:
        raise UserError(f'a saved edit needs the line "kind": "{KIND}"; there is none')
    if record.get("version") != VERSION:
        raise UserError(f"a saved edit needs version {VERSION}; got {shown(record.get('version'))}")
    _parts(record, "a saved edit", ("kind", "version", "model", "latent"), ("domain", "directions", "moves"))
    _parts(record["model"], "the model", ("name", "sha256"))
    _model(record["model"], "the model needs to be ", [known.model], known)
    domain, share = "", 1.0
    if "domain" in record:
        _parts(record["domain"], "the domain", ("name", "sha256", "share"))
        domain = _model(record["domain"], "the domain needs to be one of ", [name for name in known.models if name != known.model], known)
        share = number(record["domain"]["share"], "share")
    moves = _moves(record.get("moves", []), known)
    if moves and record.get("directions") != dict(known.origin):
        raise UserError(f"the directions need to be those of {shown(dict(known.origin))}; got {shown(record.get('directions'))}")
    return Edit(**_latent(record["latent"], known), domain=domain, share=share, moves=moves)


def read_edit(path: str | Path, known: Known) -> Edit:
    """The edit in a file.

    Raises:
        UserError: as `read_record`, or if `from_record` refuses it.
    """
    return from_record(read_record(path), known)


def read_record(path: str | Path) -> dict:
    """What an edit's file holds, not yet looked at.

    Raises:
        UserError: if there is no such file or it is not JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"an edit needs an existing file; there is none at {path}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"an edit needs a file of JSON; {path.name} is none ({error})") from error


def write_edit(path: str | Path, edit: Edit, known: Known) -> None:
    """Write an edit as JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(to_record(edit, known), indent=1) + "\n", encoding="utf-8")


def number(value, name: str, low: float = -math.inf, high: float = math.inf, *, whole: bool = False) -> float:
    """A finite number inside its limits, as it came.

    Raises:
        UserError: if it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{name} needs a number; got {shown(value)}")
    if whole and value != int(value):
        raise UserError(f"{name} needs a whole number; got {shown(value)}")
    if not low <= value <= high:
        raise UserError(f"{name} must lie in {low:g} to {high:g}; got {shown(value)}")
    return int(value) if whole else value


def shown(value) -> str:
    """A value as a file would hold it, for sentences."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _parts(record, what: str, needed: Iterable[str], also: Iterable[str] = ()) -> None:
    """Refuse a part too few and a part too many."""
    if not isinstance(record, Mapping):
        raise UserError(f"{what} needs the parts {', '.join(needed)}; got {shown(record)}")
    for name in needed:
        if name not in record:
            raise UserError(f"{what} needs the part {name}; there is none")
    for name in record:
        if name not in (*needed, *also):
            raise UserError(f"{what} has the parts {', '.join((*needed, *also))}; got also {shown(name)}")


def _model(record: Mapping, sentence: str, allowed: list[str], known: Known) -> str:
    """The name of a model that is here and is the same."""
    name, digest = record["name"], record["sha256"]
    if name not in allowed:
        raise UserError(f"{sentence}{', '.join(allowed) or 'none'}; got {shown(name)}")
    here = known.identity(name)["sha256"]
    if digest != here:
        raise UserError(f"the edit was made for another {name}: it needs sha256 {shown(digest)}, and here is {shown(here)}")
    return name


def _latent(record, known: Known) -> dict:
    _parts(record, "the latent", LATENT)
    limits = {"seed": (0, MAX_SEED), "psi": (-math.inf, math.inf), "second": (0, MAX_SEED), "crossover": (0, known.num_ws)}
    return {name: number(record[name], name, *limits[name], whole=name != "psi") for name in LATENT}


def _moves(records, known: Known) -> tuple[Move, ...]:
    if not isinstance(records, list):
        raise UserError(f"moves need to be a list; got {shown(records)}")
    return tuple(_move(record, known) for record in records)


def _move(record, known: Known) -> Move:
    _parts(record, "a move", ("direction", "rows", "strength"))
    name, rows = record["direction"], record["rows"]
    if name not in known.directions:
        raise UserError(f"a direction is one of {', '.join(known.directions)}; got {shown(name)}")
    if not isinstance(rows, list) or not rows or len(set(map(shown, rows))) < len(rows):
        raise UserError(f"rows need to be a list of row numbers, each once; got {shown(rows)}")
    rows = sorted(number(row, "a row", 0, known.num_ws - 1, whole=True) for row in rows)
    return Move(name, tuple(rows), number(record["strength"], "strength"))
