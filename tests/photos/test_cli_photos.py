"""The two commands: what they print, what they write, and with which code they end."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from small_photos import small_generator

from iplkit import cli
from iplkit.photos import models as photo_models
from iplkit.photos import targets

QUICK = ("--method", "optimize", "--steps", "1", "--align")


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


@pytest.fixture
def small(models, monkeypatch):
    monkeypatch.setattr(photo_models, "load_models", lambda *_: models)
    monkeypatch.setattr(targets, "_of_word", lambda word, *_: [targets.Target(f"ipl-{word}", lambda: small_generator(1))])


def test_a_folder_is_inverted_and_its_bad_files_are_listed_with_code_2(small, photos, tmp_path):
    result = run("invert", photos, *QUICK, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert [line.split(":")[0] for line in result.stdout.splitlines() if " dB, identity " in line] == ["a", "b"]
    errors = result.stderr.splitlines()
    assert [line.startswith("Error: ") for line in errors] == [True, True, False]
    assert "c.jpg" in errors[0] and "d.png" in errors[1] and errors[2] == "2 portraits written; 2 of 4 photos have an error."
    assert (tmp_path / "out" / "a.npy").is_file() and "Traceback" not in result.output


def test_all_well_is_code_0_and_notes_are_printed(small, photos, tmp_path):
    result = run("invert", photos / "b.jpg", "--method", "optimize", "--steps", 0, "--aligned", "--out", tmp_path)
    assert result.exit_code == 0 and result.stderr == ""
    assert json.loads((tmp_path / "b.json").read_text())["aligned"] is True


def test_landmarks_by_hand_place_the_crop(small, photos, tmp_path):
    points = np.array([[150, 100], [190, 100], [170, 120], [155, 140], [185, 140]])
    np.savetxt(tmp_path / "p.txt", points)
    result = run("invert", photos / "d.png", *QUICK[:4], "--landmarks", tmp_path / "p.txt", "--out", tmp_path)
    assert result.exit_code == 2 and "is cut off" in result.stderr  # the picture is smaller than that
    result = run("invert", photos / "a.png", *QUICK[:4], "--landmarks", tmp_path / "p.txt", "--out", tmp_path)
    assert result.exit_code == 0
    assert np.mean(json.loads((tmp_path / "a.json").read_text())["quad"], axis=0) == pytest.approx([170, 104], abs=1e-2)


def test_a_photo_is_adapted_and_each_target_has_a_line(small, photos, tmp_path):
    result = run("adapt-photo", photos / "a.png", *QUICK, "--targets", "red, green", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.stdout.splitlines()[1:3]] == ["  ipl-red", "  ipl-green"]
    assert (tmp_path / "a-ipl-green-pasted.png").is_file()


def test_a_latent_goes_in_where_a_photo_does(small, photos, tmp_path):
    for shape in ((1, 10, 32), (10, 32), (32,)):
        np.save(tmp_path / f"code{len(shape)}.npy", np.full(shape, 0.1, np.float32))
    np.save(tmp_path / "wrong.npy", np.zeros((18, 32), np.float32))
    files = [tmp_path / f"{name}.npy" for name in ("code1", "code2", "code3", "wrong")]
    result = run("adapt-photo", *files, "--targets", "red", "--out", tmp_path / "out")
    assert result.exit_code == 2 and "a generator of 1024 px" in result.stderr and "1 of 4" in result.stderr
    first = (tmp_path / "out" / "code1-ipl-red.png").read_bytes()
    assert all((tmp_path / "out" / f"code{k}-ipl-red.png").read_bytes() == first for k in (2, 3)), "three shapes of one code"
    assert json.loads((tmp_path / "out" / "code1.json").read_text())["latent"].startswith("W: one w")
    assert run("invert", files[0], "--out", tmp_path / "drawn").exit_code == 0
    assert (tmp_path / "drawn" / "code1-reconstruction.png").is_file()


@pytest.mark.parametrize("arguments, words", [
    (("invert",), "PHOTO"),
    (("invert", "{photos}/none.jpg"), "there is no file"),
    (("invert", "{photos}/a.png", "--face", "1", "--all-faces"), "exclude each other"),
    (("invert", "{photos}/a.png", "--method", "magic"), "'magic' is not one of"),
    (("invert", "{photos}/a.png", "--landmarks", "{photos}/none.txt"), "there is no file"),
    (("invert", "{photos}/a.png", "{photos}/b.jpg", "--landmarks", "{photos}/five.txt"), "belong to one photo"),
    (("invert", "{photos}/a.png", "--encoder", "{photos}/c.jpg"), "the world has an encoder of its own"),
    (("invert", "{photos}/a.png", "--profile", "paper", "--encoder", "{photos}/c.jpg"), "needs to be the checkpoint of an encoder"),
    (("adapt-photo", "{photos}/a.png", "--targets", "no such domain"), "make one with: iplkit adapt"),
])  # fmt: skip
def test_what_does_not_fit_is_one_sentence_before_work_starts(photos, tmp_path, arguments, words):
    np.savetxt(photos / "five.txt", np.arange(10.0).reshape(5, 2))
    result = run(*(a.format(photos=photos) for a in arguments), *(() if arguments == ("invert",) else ("--out", tmp_path / "out")))
    assert result.exit_code == 2 and words in result.stderr, result.output
    assert result.stderr.startswith("Error: ") and "Traceback" not in result.stderr and not (tmp_path / "out").exists()


def test_the_shipped_world_inverts_a_portrait_of_its_own(photos, tmp_path):
    result = run("invert", photos / "b.jpg", "--aligned", "--method", "optimize", "--steps", 3, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "b.json").read_text())
    assert record["latent"] == [1, 10, 512] and -1 <= record["numbers"]["identity"] <= 1 and record["numbers"]["psnr_db"] > 10
