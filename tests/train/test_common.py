import json
import math

import pytest
import torch
from torch import nn

from iplkit.errors import UserError
from iplkit.train.common import Phase, Recipe, Training, curve, follow, learning_rate
from iplkit.weights import read_weights, sha256, write_weights

PHASES = (Phase("first", 6, 0.05, 1, 8, warmup=2), Phase("off", 0, 0.1, 2, 8), Phase("second", 4, 0.02, 3, 8))


def build():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(3, 1)


def begin(model, phase, pools):
    def loss_of(step, generator):
        x = torch.randn(phase.batch, 3, generator=generator)
        return (model(x)[:, 0].float() - x.sum(1)).square().mean(), {"seen": float(step)}

    return loss_of


def save(path, model, metadata, dtype=None):
    write_weights(path, model.state_dict(), metadata, dtype)


def make(phases=PHASES, begin=begin) -> Recipe:
    return Recipe("line", phases, build, {}, begin, lambda model, pools: {"weight": model.weight.mean().item()}, save)


def test_the_same_recipe_gives_the_same_bytes(tmp_path):
    files = [make().train(tmp_path / name) for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path):
    whole = make().train(tmp_path / "whole")
    stopped = Training(make(), tmp_path / "parts")

    def stop_at_four(model, phase, pools):
        inner = begin(model, phase, pools)

        def loss_of(step, generator):
            if phase.name == "second" and step == 2:
                stopped.checkpoint()
                raise KeyboardInterrupt
            return inner(step, generator)

        return loss_of

    stopped.recipe = make(begin=stop_at_four)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert whole.read_bytes() == make().train(tmp_path / "parts").read_bytes()


def test_the_card_tells_phases_scores_and_the_curve(tmp_path):
    make().train(tmp_path, steps=3)
    card = json.loads((tmp_path / "line" / "card.json").read_text())
    assert [(p["name"], p["steps"]) for p in card["phases"]] == [("first", 3), ("second", 3)]
    assert "weight" in card["scores"] and card["parameters"] == 4 and len(card["curve"]) == 2


def test_a_time_budget_ends_the_training(tmp_path):
    training = Training(make((Phase("long", 10**9, 0.01, 1, 8),)), tmp_path)
    training.run(minutes=0.005)
    assert 0 < training.done[0]["steps"] < 10**6


def test_a_phase_starts_from_a_file_whose_hash_fits(tmp_path):
    path = tmp_path / "start.safetensors"
    write_weights(path, {"weight": torch.full((1, 3), 7.0), "bias": torch.zeros(1)}, {})
    phase = Phase("on", 1, 0.0, 1, 8, start=str(path), start_sha256=sha256(path))
    tensors, _ = read_weights(make((phase,)).train(tmp_path / "a"))
    assert tensors["weight"].tolist() == [[7.0, 7.0, 7.0]]
    wrong = Phase("on", 1, 0.0, 1, 8, start=str(path), start_sha256="0" * 64)
    with pytest.raises(UserError, match="SHA-256"):
        make((wrong,)).train(tmp_path / "b")
    with pytest.raises(UserError, match="hash"):
        Phase("on", 1, 0.0, 1, 8, start=str(path))


def test_the_rate_warms_up_and_falls_to_two_percent():
    phase = Phase("p", 100, 1.0, 0, 8, warmup=10)
    assert learning_rate(phase, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(phase, 50, 0.5) == pytest.approx(0.51)
    assert learning_rate(phase, 100, 1.0) == pytest.approx(0.02)


def test_the_average_follows_by_its_decay():
    a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    for module, value in ((a, 0.0), (b, 1.0)):
        nn.init.constant_(module.weight, value)
    follow(a, b, 0.9, step=10**6)
    assert a.weight.item() == pytest.approx(0.1)


def test_a_loss_that_is_no_number_stops_the_training(tmp_path):
    def broken(model, phase, pools):
        return lambda step, generator: (model.weight.sum() * math.nan, {})

    with pytest.raises(UserError, match="finite loss"):
        make(begin=broken).train(tmp_path)


def test_a_step_logged_twice_counts_once(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps({"phase": "p", "step": 1, "loss": v}) for v in (1.0, 2.0)))
    assert curve(path) == [{"phase": "p", "step": 1, "loss": 2.0}]
