"""A text edit as data: the page's small JSON, and two parts more.

"texts" lists the moves in S: neutral text, target text, beta, strength. "styles" says how the steps were made, so that another
statistics or relevance is refused instead of drawing another picture. The latent may be a file, named with its hash, instead of
a seed. A file without these parts is an edit of the page; the page refuses a file with them, since it holds no CLIP.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from iplkit.edit.edits import DIGITS, Edit, Known, _parts, from_record, number, read_record, shown, to_record
from iplkit.edit.selection import parse_beta
from iplkit.errors import UserError
from iplkit.weights import atomic_path, sha256

NEUTRAL = "person"


@dataclass(frozen=True)
class TextMove:
    """One text and how far.

    Args:
        neutral, target: see `iplkit.edit.texts.text_direction`.
        beta: as `iplkit.edit.selection.parse_beta` reads it.
        strength: in standard deviations of the strongest channel.
    """

    neutral: str
    target: str
    beta: str
    strength: float


@dataclass(frozen=True)
class TextEdit:
    """An edit with moves in S.

    Args:
        edit: who is drawn, and moves in W+.
        texts: moves in S; they add up.
        file: a latent's file in place of the edit's seed, beside the JSON; or empty.
        digest: the beginning of the file's SHA-256.
        styles: how the steps of texts were made, plain values.
    """

    edit: Edit
    texts: tuple[TextMove, ...] = ()
    file: str = ""
    digest: str = ""
    styles: Mapping = field(default_factory=dict)


def text_edit_record(edit: TextEdit, known: Known) -> dict:
    """As a file holds it; `text_edit_of` brings it back."""
    record = to_record(edit.edit, known)
    if edit.file:
        record["latent"] = {"file": edit.file, "sha256": edit.digest}
    if edit.texts:
        record |= {"styles": dict(edit.styles), "texts": [vars(move) for move in edit.texts]}
    return record


def text_edit_of(record: Mapping, known: Known) -> TextEdit:
    """The edit that a file holds.

    Raises:
        UserError: as `iplkit.edit.edits.from_record`; and for a text, a beta or a latent's file that does not fit.
    """
    if not isinstance(record, Mapping):
        return TextEdit(from_record(record, known))  # which refuses it
    rest, file, digest = {k: v for k, v in record.items() if k not in ("texts", "styles")}, "", ""
    if isinstance(latent := rest.get("latent"), Mapping) and "file" in latent:
        _parts(latent, "the latent", ("file", "sha256"))
        file, digest = (_word(latent[name], name) for name in ("file", "sha256"))
        rest["latent"] = {"seed": 0, "psi": 1.0, "second": 0, "crossover": known.num_ws}
    texts = record.get("texts", [])
    if not isinstance(texts, list):
        raise UserError(f"texts need to be a list; got {shown(texts)}")
    if bool(texts) != ("styles" in record):
        raise UserError("texts need the part styles, which says how their steps were made, and styles need texts; one of them is missing")
    return TextEdit(from_record(rest, known), tuple(_text(move) for move in texts), file, digest, record.get("styles", {}))


def read_text_edit(path: str | Path, known: Known) -> TextEdit:
    """The edit in a file, and its latent's file checked.

    Raises:
        UserError: no such file, no JSON, `text_edit_of` refuses it, or the latent beside it is missing or another.
    """
    path = Path(path)
    edit = text_edit_of(read_record(path), known)
    if edit.file:
        latent = path.parent / edit.file
        if not latent.is_file():
            raise UserError(f"the edit needs the latent {edit.file} beside it; there is none")
        if (found := sha256(latent)[:DIGITS]) != edit.digest:
            raise UserError(f"the edit was made for another {edit.file}: it needs sha256 {shown(edit.digest)}, and here is {shown(found)}")
    return edit


def write_text_edit(path: str | Path, edit: TextEdit, known: Known) -> None:
    """Write an edit as JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(text_edit_record(edit, known), indent=1) + "\n", encoding="utf-8")


def _text(record) -> TextMove:
    _parts(record, "a text", ("neutral", "target", "beta", "strength"))
    neutral, target, beta = (_word(record[name], name) for name in ("neutral", "target", "beta"))
    parse_beta(beta)
    return TextMove(neutral, target, beta, number(record["strength"], "strength"))


def _word(value, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{name} needs a text; got {shown(value)}")
    return value
