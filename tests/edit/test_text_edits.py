"""A text edit as data, beside the page's own file."""

import json
from dataclasses import replace

import numpy as np
import pytest

from iplkit.edit.edits import DIGITS, Edit, Known, Move, to_record, write_edit
from iplkit.edit.text_edits import TextEdit, TextMove, read_text_edit, text_edit_of, text_edit_record, write_text_edit
from iplkit.errors import UserError
from iplkit.weights import sha256

KNOWN = Known(10, "generator", {"generator": "a" * 64}, ("age",), {"people": 60})
EDIT = Edit(3, 1.0, 3, 10, moves=(Move("age", (1,), 0.5),))
TEXT = TextEdit(EDIT, (TextMove("face", "happy face", "0.1", 3.0),), styles={"by": "slopes"})


def test_texts_come_back_from_their_file_with_moves_in_w_plus(tmp_path):
    write_text_edit(tmp_path / "e.json", TEXT, KNOWN)
    assert read_text_edit(tmp_path / "e.json", KNOWN) == TEXT


def test_a_file_of_the_page_is_read_and_without_texts_the_same_is_written(tmp_path):
    write_edit(tmp_path / "e.json", EDIT, KNOWN)
    found = read_text_edit(tmp_path / "e.json", KNOWN)
    assert found == TextEdit(EDIT)
    assert text_edit_record(found, KNOWN) == to_record(EDIT, KNOWN)


def test_a_latent_is_named_with_its_hash_and_another_one_is_refused(tmp_path):
    np.save(tmp_path / "me.npy", np.zeros(4))
    made = replace(TEXT, edit=Edit(0, 1.0, 0, 10), file="me.npy", digest=sha256(tmp_path / "me.npy")[:DIGITS])
    write_text_edit(tmp_path / "e.json", made, KNOWN)
    assert read_text_edit(tmp_path / "e.json", KNOWN) == made
    np.save(tmp_path / "me.npy", np.ones(4))
    with pytest.raises(UserError, match="was made for another me.npy"):
        read_text_edit(tmp_path / "e.json", KNOWN)
    (tmp_path / "me.npy").unlink()
    with pytest.raises(UserError, match="needs the latent me.npy beside it"):
        read_text_edit(tmp_path / "e.json", KNOWN)


def changed(**parts) -> dict:
    return json.loads(json.dumps(text_edit_record(TEXT, KNOWN) | parts))


MOVE = {"neutral": "face", "target": "happy face", "beta": "0.1", "strength": 1}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (changed(model={"name": "generator", "sha256": "f" * DIGITS}), "was made for another generator"),
        (changed(texts={}), "texts need to be a list"),
        (changed(texts=[MOVE | {"beta": "lots"}]), "beta is written as"),
        (changed(texts=[MOVE | {"target": ""}]), "target needs a text"),
        (changed(texts=[MOVE | {"strength": "far"}]), "strength needs a number"),
        (changed(texts=[{"target": "x"}]), "a text needs the part neutral"),
        (changed(texts=[]), "one of them is missing"),
        (changed(latent={"file": "x.npy"}), "the latent needs the part sha256"),
        ([], "a saved edit needs the line"),
    ],
)
def test_what_does_not_fit_is_refused(record, said):
    with pytest.raises(UserError, match=said):
        text_edit_of(record, KNOWN)
