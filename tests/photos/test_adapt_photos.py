"""A photo in other domains, and back in its photo; which generators a word means."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_photos import small_generator
from PIL import Image

from iplkit import paths, zoo
from iplkit.errors import UserError
from iplkit.invert.portraits import Cutting
from iplkit.photos import targets
from iplkit.photos.adapt import load_targets, write_adapted
from iplkit.photos.invert import Search, invert_photos
from iplkit.photos.targets import Target, targets_of

HOW, QUICK = Cutting(64, aligned=False), Search("optimize", steps=0)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_each_target_draws_the_same_latent_and_is_pasted_into_the_photo(photos, models, tmp_path):
    generators = load_targets([Target("ipl-red", lambda: small_generator(1)), Target("nada-red", lambda: small_generator(2))], models)
    kept, out = [], tmp_path / "out"
    invert_photos([photos / "a.png"], models, HOW, QUICK, lambda found: kept.append(write_adapted(found, generators, models, out)))
    names = {p.name for p in out.iterdir()}
    assert {f"a-{t}{end}" for t in ("ipl-red", "nada-red") for end in (".png", "-pasted.png")} < names and len(names) == 9
    before, after = pixels(photos / "a.png"), pixels(out / "a-ipl-red-pasted.png")
    changed = np.argwhere(np.abs(before - after).max(axis=2) > 0)
    quad = np.array(json.loads((out / "a.json").read_text())["quad"])
    assert before.shape == after.shape and len(changed) > 0
    assert (changed[:, ::-1].min(0) >= quad.min(0) - 1).all() and (changed[:, ::-1].max(0) <= quad.max(0) + 1).all()
    numbers = json.loads((out / "a.json").read_text())["numbers"]["adapted"]
    assert set(numbers) == {"ipl-red", "nada-red"} and set(numbers["ipl-red"]) == {"identity", "seconds"}
    assert kept[0].numbers["adapted"] == numbers
    assert pixels(out / "a-strip.png").shape[1] == 4 * 256 + 3 * 4 + 256 + 4


def test_a_jpeg_gets_a_jpeg_back(photos, models, tmp_path):
    generators = load_targets([Target("x", lambda: small_generator(1))], models)
    invert_photos([photos / "b.jpg"], models, replace(HOW, aligned=True), QUICK, lambda found: write_adapted(found, generators, models, tmp_path))
    with Image.open(tmp_path / "b-x-pasted.jpg") as pasted:
        assert pasted.format == "JPEG" and pasted.size == (64, 64)


def test_a_target_of_other_sizes_is_refused(models):
    from iplkit.stylegan2.generator import Generator, GeneratorConfig

    with pytest.raises(UserError, match="big needs the sizes of the photo's generator"):
        load_targets([Target("big", lambda: Generator(GeneratorConfig(128, (8,) * 6, 32, 32, 2)))], models)


def test_a_word_means_the_shipped_generators_of_that_domain():
    shipped = zoo.adapted_names()
    assert [t.name for t in targets_of([])] == shipped
    assert [t.name for t in targets_of(["Anime Painting"])] == [n for n in shipped if n.endswith("-anime-painting")]
    assert [t.name for t in targets_of(["disney", "ipl-disney"], method="ipl")] == ["ipl-disney"]
    assert targets_of(["ipl-disney"])[0].load().config.size == 64


def test_a_word_that_is_not_shipped_means_what_the_reader_made(tmp_path, monkeypatch):
    for name in ("ipl-photo-to-sketch-seed0", "nada-photo-to-sketch-seed0", "ipl-photo-to-sketch-seed1"):
        (tmp_path / f"{name}.safetensors").touch()
    monkeypatch.setattr(targets, "_folder", lambda profile, tier: tmp_path)
    loaded = []
    monkeypatch.setattr(targets, "load_product", lambda path, profile: loaded.append((path.stem, profile)))
    found = targets_of(["sketch"])
    assert [t.name for t in found] == ["ipl-sketch", "nada-sketch"] and loaded == []
    found[1].load()
    assert loaded == [("nada-photo-to-sketch-seed0", "world")]
    assert [t.name for t in targets_of(["sketch"], "paper", "nada")] == ["nada-sketch"]


def test_a_file_is_a_target_of_its_own(tmp_path):
    (tmp_path / "mine.safetensors").touch()
    assert [t.name for t in targets_of([str(tmp_path / "mine.safetensors")])] == ["mine"]


def test_a_word_without_a_generator_is_refused_with_the_command_that_makes_one(monkeypatch, tmp_path):
    monkeypatch.setattr(targets, "_folder", lambda profile, tier: tmp_path)
    with pytest.raises(UserError, match='no adapted generator draws \'werewolf\'.*make one with: iplkit adapt --target "werewolf" --method ipl$'):
        targets_of(["werewolf"])
    with pytest.raises(UserError, match="the nearest known are .*disney"):
        targets_of(["disnei"])
    with pytest.raises(UserError, match="--method nada --profile paper"):
        targets_of(["disney"], "paper", "nada")
    with pytest.raises(UserError, match="none is here: make one with"):
        targets_of([], "paper")


def test_made_generators_are_looked_for_where_adapt_puts_them():
    assert targets._folder("paper", "laptop") == paths.run_folder("laptop", "paper") / "adapted"
