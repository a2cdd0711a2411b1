import copy
import json

import pytest
from torch.testing import assert_close

from iplkit import zoo
from iplkit.adapt import AdaptSettings, products
from iplkit.adapt.products import load_product, make_product, product_settings
from iplkit.clip.mapper import load_mapper
from iplkit.clip.model import Clip
from iplkit.errors import UserError


@pytest.fixture
def models(tiny_generator, tiny_clip, tmp_path, monkeypatch):
    """A zoo of the two tiny models; the files only stand for their hashes."""
    clip = Clip(tiny_clip.model, tiny_clip.config, words=["a", "photo", "of", "sketch", "ukiyo", "e", "the"])
    for name in ("generator", "clip"):
        (tmp_path / name).write_text(name)
    files = {"generator": tiny_generator, "clip": clip}
    monkeypatch.setattr(zoo, "load", lambda name, profile="world", folder=None: copy.deepcopy(files[name]))
    monkeypatch.setattr(zoo, "path_of", lambda name, profile="world", folder=None: tmp_path / name)


def make(tmp_path, target="ukiyo-e", method="ipl", **changes):
    options = dict(tier="smoke", out=tmp_path / "adapted", progress=False)
    return make_product("photo", target, method, **(options | changes))


def test_a_product_is_a_small_difference_with_its_record(models, tiny_generator, tmp_path):
    product = make(tmp_path)
    folder = tmp_path / "adapted"
    stem = "ipl-photo-to-ukiyo-e-seed0"
    assert sorted(p.name for p in folder.iterdir() if p.name[0] != ".") == [
        f"{stem}.json", f"{stem}.mapper.pt", f"{stem}.run.json", f"{stem}.safetensors",
    ]  # fmt: skip
    record = json.loads((folder / f"{stem}.json").read_text())
    assert record == product.record and product.made
    assert AdaptSettings.from_record(record["settings"]) == product_settings("ipl", "world", "smoke")
    assert len(record["log"]["loss"]) == len(record["log"]["mapper_domain"]) == 5
    assert record["summary"]["first_moved"] == 0 < record["summary"]["last_moved"]
    assert load_mapper(product.mapper_path, width=64).n_ctx == 4
    assert not any((folder / ".resume").iterdir())


def test_the_loaded_product_is_the_adapted_generator(models, tiny_generator, tmp_path, monkeypatch):
    results = []
    real = products.adapt
    monkeypatch.setattr(products, "adapt", lambda *args, **kw: results.append(real(*args, **kw)) or results[-1])
    product = make(tmp_path, method="nada")
    loaded = load_product(product.path)
    wanted, source = results[0].generator.state_dict(), tiny_generator.state_dict()
    moved = sum(float((wanted[name] - source[name]).square().sum()) for name in source)
    lost = sum(float((wanted[name] - got).square().sum()) for name, got in loaded.state_dict().items())
    assert 0 < lost < 0.01 * moved  # packing costs about 5 % of the change
    assert_close(product.record["rounding_error"], (lost / moved) ** 0.5, atol=1e-6, rtol=0)


def test_the_same_call_gives_the_same_bytes_or_does_nothing(models, tmp_path):
    first = make(tmp_path, method="nada")
    names = [first.path, first.path.with_suffix(".json")]
    content = [p.read_bytes() for p in names]
    assert not make(tmp_path, method="nada").made
    assert make(tmp_path, method="nada", force=True).made
    assert [p.read_bytes() for p in names] == content


def test_other_settings_or_a_damaged_file_are_made_again(models, tmp_path):
    product = make(tmp_path, method="nada")
    settings = product_settings("nada", "world", "smoke")
    assert make(tmp_path, method="nada", settings=AdaptSettings.from_record(settings.record() | {"lr": 0.001})).made
    assert make(tmp_path, method="nada").made
    product.path.write_bytes(b"half")
    assert make(tmp_path, method="nada").made


def test_an_interrupted_product_leaves_none_and_continues(models, tmp_path, monkeypatch):
    whole = make(tmp_path / "whole", method="nada").path.read_bytes()
    real = products.adapt

    def interrupted(*args, **kw):
        import iplkit.adapt.loop as loop

        step_loss = loop.step_loss
        monkeypatch.setattr(loop, "step_loss", lambda *a: step_loss(*a) if a[-1] < 3 else (_ for _ in ()).throw(KeyboardInterrupt))
        try:
            return real(*args, **kw)
        finally:
            monkeypatch.setattr(loop, "step_loss", step_loss)

    monkeypatch.setattr(products, "adapt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, method="nada")
    assert [p.name for p in (tmp_path / "adapted").iterdir()] == [".resume"]
    monkeypatch.setattr(products, "adapt", real)
    assert make(tmp_path, method="nada").path.read_bytes() == whole


def test_a_dry_run_writes_nothing_and_still_refuses(models, tmp_path):
    assert not make(tmp_path, dry_run=True).made
    assert not (tmp_path / "adapted").exists()
    with pytest.raises(UserError, match="'skech' is not one, the nearest it knows: sketch"):
        make(tmp_path, target="skech", dry_run=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "svl"}, "method must be one of"),
        ({"target": "photo"}, "target must be another domain"),
        ({"tier": "huge"}, "tier must be one of"),
        ({"profile": "moon"}, "profile must be one of"),
    ],
)
def test_what_does_not_exist_is_refused(models, tmp_path, change, sentence):
    with pytest.raises(UserError, match=sentence):
        make(tmp_path, **change)


def test_the_papers_profile_trains_with_the_papers_quirks():
    assert "base_without_class" in product_settings("ipl", "paper", "laptop").quirks
    assert product_settings("nada", "paper", "laptop").ema == 0
    assert product_settings("ipl", "world", "full").quirks == frozenset()
