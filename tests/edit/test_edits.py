"""An edit as data: a file names everything that the picture needs, and refuses what is not here."""

import json
from dataclasses import replace

import pytest

from iplkit.edit.edits import Edit, Known, Move, from_record, read_edit, to_record, write_edit
from iplkit.errors import UserError

KNOWN = Known(10, "generator", {"generator": "a" * 64, "ipl-x": "b" * 64}, ("age", "yaw"), {"by": "thirds", "people": 60})
EDIT = Edit(52, 0.8, 61, 4, "ipl-x", 0.5, (Move("yaw", (0, 1, 2, 3), 1.5), Move("age", (9,), -0.25)))


def test_a_file_holds_the_model_the_latent_the_rows_the_directions_and_the_strengths():
    record = to_record(EDIT, KNOWN)
    assert record["model"] == {"name": "generator", "sha256": "a" * 16}
    assert record["latent"] == {"seed": 52, "psi": 0.8, "second": 61, "crossover": 4}
    assert record["domain"] == {"name": "ipl-x", "sha256": "b" * 16, "share": 0.5}
    assert record["moves"][0] == {"direction": "yaw", "rows": [0, 1, 2, 3], "strength": 1.5}
    assert record["directions"] == {"by": "thirds", "people": 60}


@pytest.mark.parametrize("edit", [EDIT, replace(EDIT, domain="", share=1.0), replace(EDIT, moves=())])
def test_an_edit_comes_back_from_its_file(tmp_path, edit):
    write_edit(tmp_path / "edit.json", edit, KNOWN)
    assert read_edit(tmp_path / "edit.json", KNOWN) == edit
    assert (tmp_path / "edit.json").stat().st_size < 1000


def changed(**parts) -> dict:
    return json.loads(json.dumps(to_record(EDIT, KNOWN) | parts))


MOVE = {"direction": "yaw", "rows": [0], "strength": 1}
LATENT = {"seed": 52, "psi": 0.8, "second": 61, "crossover": 4}
BAD = [
    ([], 'a saved edit needs the line "kind": "iplkit edit"; there is none'),
    (changed(kind="cake"), 'a saved edit needs the line "kind": "iplkit edit"; there is none'),
    (changed(version=2), "a saved edit needs version 1; got 2"),
    ({"kind": "iplkit edit", "version": 1}, "a saved edit needs the part model; there is none"),
    (changed(color=1), 'a saved edit has the parts kind, version, model, latent, domain, directions, moves; got also "color"'),
    (changed(model={"name": "generator", "sha256": "f" * 16}), f'the edit was made for another generator: it needs sha256 "{"f" * 16}", and here is "{"a" * 16}"'),
    (changed(model={"name": "moon", "sha256": "a" * 16}), 'the model needs to be generator; got "moon"'),
    (changed(model={"name": "ipl-x", "sha256": "b" * 16}), 'the model needs to be generator; got "ipl-x"'),
    (changed(domain={"name": "moon", "sha256": "a" * 16, "share": 1}), 'the domain needs to be one of ipl-x; got "moon"'),
    (changed(domain={"name": "generator", "sha256": "a" * 16, "share": 1}), 'the domain needs to be one of ipl-x; got "generator"'),
    (changed(domain={"name": "ipl-x", "sha256": "b" * 16}), "the domain needs the part share; there is none"),
    (changed(domain={"name": "ipl-x", "sha256": "b" * 16, "share": "all"}), 'share needs a number; got "all"'),
    (changed(domain=None), "the domain needs the parts name, sha256, share; got null"),
    (changed(latent=LATENT | {"seed": "52"}), 'seed needs a number; got "52"'),
    (changed(latent=LATENT | {"psi": True}), "psi needs a number; got true"),
    (changed(latent=LATENT | {"crossover": 2.5}), "crossover needs a whole number; got 2.5"),
    (changed(latent=LATENT | {"crossover": 11}), "crossover must lie in 0 to 10; got 11"),
    (changed(latent=[1]), "the latent needs the parts seed, psi, second, crossover; got [1]"),
    (changed(moves={}), "moves need to be a list; got {}"),
    (changed(moves=[MOVE | {"direction": "hat"}]), 'a direction is one of age, yaw; got "hat"'),
    (changed(moves=[MOVE | {"rows": [8, 12]}]), "a row must lie in 0 to 9; got 12"),
    (changed(moves=[MOVE | {"rows": [1, 1]}]), "rows need to be a list of row numbers, each once; got [1,1]"),
    (changed(moves=[MOVE | {"rows": []}]), "rows need to be a list of row numbers, each once; got []"),
    (changed(moves=[MOVE | {"strength": None}]), "strength needs a number; got null"),
    (changed(directions={"by": "thirds", "people": 600}), 'the directions need to be those of {"by":"thirds","people":60}; got {"by":"thirds","people":600}'),
]


@pytest.mark.parametrize(("record", "sentence"), BAD, ids=[sentence[:60] for _, sentence in BAD])
def test_what_does_not_fit_is_refused_in_one_sentence(record, sentence):
    with pytest.raises(UserError) as refusal:
        from_record(record, KNOWN)
    assert str(refusal.value) == sentence


def test_no_file_and_no_json_are_refused(tmp_path):
    with pytest.raises(UserError, match="existing file; there is none at"):
        read_edit(tmp_path / "edit.json", KNOWN)
    for text in ("{", "", "[" * 100_000, "\xff"):
        (tmp_path / "edit.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(UserError, match=r"needs a file of JSON; edit\.json is none"):
            read_edit(tmp_path / "edit.json", KNOWN)


def test_a_number_that_is_none_is_refused(tmp_path):
    text = json.dumps(to_record(EDIT, KNOWN)).replace('"psi": 0.8', '"psi": NaN')
    (tmp_path / "edit.json").write_text(text)
    with pytest.raises(UserError, match="psi needs a number; got NaN"):
        read_edit(tmp_path / "edit.json", KNOWN)
