import json

import pytest

from iplkit import zoo_steer
from iplkit.adapt import AdaptSettings
from iplkit.errors import UserError

SETTINGS = AdaptSettings(steps=1, batch=2, views=0, selector="all")


@pytest.fixture
def run(models, scale, tmp_path):
    """Steer into two domains, one step each."""
    common = {"models": models, "scale": scale, "settings": SETTINGS, "progress": False}
    return lambda **options: zoo_steer.steer(tmp_path, ["sketch", "statue"], **common, **options)


def test_each_domain_gets_a_record_a_picture_and_a_difference(run, tmp_path):
    records = run(keep=tmp_path / "adapted")
    assert [r["domain"] for r in records] == ["sketch", "statue"]
    stored = json.loads((tmp_path / "full" / "steer-sketch.json").read_text())
    assert stored["share"] == pytest.approx(records[0]["share"], rel=1e-5)
    assert stored["config"]["settings"]["steps"] == 1 and len(stored["loss"]) == 1
    for name in ("steer-sketch.png", "steer-photo.png", "steer-statue.run.json"):
        assert (tmp_path / "full" / name).is_file()
    assert sorted(p.name for p in (tmp_path / "adapted").iterdir()) == ["nada-sketch.safetensors", "nada-statue.safetensors"]


def test_a_record_that_is_there_is_kept_unless_forced(run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "steer-sketch.json").write_text("{}")
    assert [r["domain"] for r in run()] == ["statue"]
    assert run() == []
    assert zoo_steer.todo(tmp_path, ["sketch"], force=True) == ["sketch"]


def test_the_settings_are_the_worlds_with_the_steps_that_the_bar_asks_for():
    assert zoo_steer.steer_settings().steps == 300


def test_an_unknown_domain_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(UserError, match="watercolor"):
        zoo_steer.steer(tmp_path, ["watercolor"])
    assert not list(tmp_path.iterdir())
