"""Shipped weights and cards are those that were shipped, and a card is about the weights beside it."""

import json

import pytest
import torch

from iplkit.checks.cards import check_cards
from iplkit.checks.report import Report
from iplkit.files import sha256
from iplkit.weights import write_weights
from iplkit.zoo import record_hashes


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of shipped weights with one model and its card."""
    monkeypatch.setattr("iplkit.paths.root", lambda: tmp_path)
    folder = tmp_path / "iplkit" / "shipped"
    write_weights(folder / "judge.safetensors", {"w": torch.zeros(2)}, {})
    (folder / "cards").mkdir()
    card = {"name": "judge", "file": "judge.safetensors", "sha256": sha256(folder / "judge.safetensors"), "scores": {"accuracy": 0.75}}
    (folder / "cards" / "judge.json").write_text(json.dumps(card))
    record_hashes(folder)
    return folder


def wrong():
    report = Report()
    check_cards(report)
    return [line.split(";")[0] for line in report.wrong]


def change(shipped, **told):
    path = shipped / "cards" / "judge.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))


def test_what_was_shipped_is_right(shipped):
    assert wrong() == []


def test_a_changed_score_is_wrong(shipped):
    change(shipped, scores={"accuracy": 0.85})
    assert wrong() == ["iplkit/shipped/cards/judge.json: is not the file that was shipped"]


@pytest.mark.parametrize("told", [{"sha256": "0"}, {"file": "critic.safetensors"}])
def test_a_card_about_other_weights_is_wrong_even_if_it_is_listed(shipped, told):
    change(shipped, **told)
    record_hashes(shipped)
    assert wrong() == [f"iplkit/shipped/cards/judge.json: is about another {told.get('file', 'judge.safetensors')} than the one that is shipped"]


def test_exchanged_and_missing_weights_are_wrong(shipped):
    write_weights(shipped / "judge.safetensors", {"w": torch.ones(2)}, {})
    assert wrong() == ["iplkit/shipped/judge.safetensors: is not the file that was shipped"]
    (shipped / "judge.safetensors").unlink()
    assert wrong() == ["iplkit/shipped/judge.safetensors: is not the file that was shipped"]


def test_a_card_from_nowhere_and_one_that_is_none_are_wrong(shipped):
    (shipped / "cards" / "best.json").write_text("{")
    assert wrong() == ["iplkit/shipped/cards/best.json: is in no list of shipped cards"]
    record_hashes(shipped)
    assert wrong() == ["iplkit/shipped/cards/best.json: is about another file than the one that is shipped"]


@pytest.mark.parametrize("name", ["hashes.json", "cards.json"])
def test_a_list_that_is_gone_or_damaged_is_wrong(shipped, name):
    (shipped / name).write_text("{")
    assert f"iplkit/shipped/{name}: lists nothing" in wrong()


def test_without_shipped_weights_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.setattr("iplkit.paths.root", lambda: tmp_path)
    assert wrong() == []
