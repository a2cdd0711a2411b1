"""``iplkit edit`` and ``iplkit directions`` on the shipped models: what is written, and what is refused in one sentence."""

import json

import numpy as np
import pytest
import torch

from iplkit import zoo
from iplkit.cli import main
from iplkit.edit import command
from iplkit.edit.mapper import LevelsMapper
from iplkit.edit.relevance_files import read_relevance, write_relevance
from iplkit.edit.statistics import style_statistics
from iplkit.edit.style_space import style_space
from iplkit.edit.texts import text_direction
from iplkit.errors import UserError
from iplkit.images import read_image
from iplkit.invert.latent_files import read_latent


@pytest.fixture(scope="module", autouse=True)
def small_work():
    """Few people, so that a run takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "statistics_from", lambda path, generator: style_statistics(generator, 200))
        patch.setattr(command, "PEOPLE", 2)
        patch.setattr(command._prepared, "__defaults__", (2,))
        yield


def run(capsys, *words) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    heard = capsys.readouterr()
    return stop.value.code, heard.out + heard.err


def test_a_text_gives_a_strip_and_an_edit_that_draws_the_same_picture_again(tmp_path, capsys):
    code, said = run(capsys, "edit", "--seed", 3, "--neutral", "face", "--target", "happy face", "--direction-offset", "0,2", "--output", tmp_path, "--frames", 2)
    assert code == 0, said
    saved = json.loads((tmp_path / "happy-face.json").read_text())
    assert saved["texts"][0]["strength"] == 2
    assert (tmp_path / "happy-face.png").is_file()
    code, said = run(capsys, "edit", "--edit", tmp_path / "happy-face.json", "--output", tmp_path / "again")
    assert code == 0, said
    again, frame = (read_image(tmp_path / path) for path in ("again/happy-face.png", "happy-face-frames/0001.png"))
    assert float((again - frame).abs().max()) <= 2.5 / 127.5  # a batch of one rounds otherwise


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--neutral", "face", "--target", "happy face", "--beta-threshold", "0.99"), "beta needs to be at most 0."),
        (("--neutral", "face", "--target", "face"), "two texts that CLIP can tell apart"),
        (("--neutral", "face", "--target", "xylophone"), "'xylophone' is not one"),
        (("--target", "happy face"), "belong together"),
        (("--latent", "none.npy", "--seed", "1"), "more than one was given"),
        (("--direction-offset", "far"), "an offset is written as"),
        (("--device", "moon"), "a device that is here is needed"),
        (("--mapper", "happy", "--neutral", "face", "--target", "happy face"), "--mapper is an edit by itself"),
        (("--mapper", "sad"), "one of angry, happy, long hair; got 'sad'"),
        (("--mapper", "sad", "--profile", "paper"), "one of afro, angry, bobcut"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_nothing_is_written(tmp_path, capsys, words, said):
    code, heard = run(capsys, "edit", *words, "--output", tmp_path / "out")
    assert code == 2
    assert said in heard
    assert heard.count("\n") == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_latent_of_another_generator_is_refused(tmp_path, capsys):
    np.save(tmp_path / "w.npy", np.zeros((1, 18, 512), np.float32))
    code, heard = run(capsys, "edit", "--latent", tmp_path / "w.npy", "--output", tmp_path / "out")
    assert (code, "of a generator of 1024 px" in heard) == (2, True)


def test_directions_say_beforehand_what_they_would_write(tmp_path, capsys):
    assert "Would measure 5 people" in run(capsys, "directions", "stats", "--people", 5, "--output", tmp_path / "s.safetensors", "--dry-run")[1]
    code, heard = run(capsys, "directions", "extract", "--base", "cumulative", "--output", tmp_path / "m.npy")
    assert (code, "needs --by differences" in heard) == (2, True)
    assert not list(tmp_path.iterdir())


def test_statistics_are_written_where_asked(tmp_path, capsys):
    code, said = run(capsys, "directions", "stats", "--people", 20, "--output", tmp_path / "s.safetensors")
    assert (code, (tmp_path / "s.safetensors").is_file()) == (0, True), said


@pytest.fixture(scope="module")
def matrices(tmp_path_factory):
    """A matrix of one person as the command writes it, and the same in the published layout."""
    folder = tmp_path_factory.mktemp("matrices")
    with pytest.raises(SystemExit) as stop:
        main(["directions", "extract", "--people", "1", "--output", str(folder / "m.safetensors")])
    assert stop.value.code == 0
    space = style_space(zoo.load("generator").config)
    write_relevance(folder / "m.npy", read_relevance(folder / "m.safetensors", space), space, {})
    return folder


@pytest.mark.parametrize("name", ["m.safetensors", "m.npy"])
@pytest.mark.parametrize("beta", ["0.5", "20c", "30%"])
def test_a_matrix_that_was_extracted_serves_an_edit_at_every_kind_of_beta(tmp_path, capsys, matrices, name, beta):
    text = ("--neutral", "sad face", "--target", "happy face", "--beta-threshold", beta, "--direction-offset", "0,2", "--frames", 2)
    code, said = run(capsys, "edit", "--seed", 3, *text, "--directions", matrices / name, "--output", tmp_path)
    assert code == 0, said
    assert beta != "20c" or "20 channels" in said
    code, said = run(capsys, "edit", "--edit", tmp_path / "happy-face.json", "--directions", matrices / name, "--output", tmp_path / "again")
    assert code == 0, said
    again, frame = (read_image(tmp_path / path) for path in ("again/happy-face.png", "happy-face-frames/0001.png"))
    assert float((again - frame).abs().max()) <= 2.5 / 127.5  # a batch of one rounds otherwise


def test_an_edit_made_with_a_matrix_is_refused_without_it(tmp_path, capsys, matrices):
    text = ("--neutral", "sad face", "--target", "happy face", "--beta-threshold", "20c")
    assert run(capsys, "edit", *text, "--directions", matrices / "m.npy", "--output", tmp_path)[0] == 0
    code, heard = run(capsys, "edit", "--edit", tmp_path / "happy-face.json", "--output", tmp_path / "again")
    assert (code, "steps need to be made as" in heard) == (2, True)


def test_a_share_of_false_channels_needs_no_matrix(tmp_path, capsys):
    text = ("--neutral", "sad face", "--target", "happy face", "--beta-threshold", "30%", "--direction-offset", "0,2")
    code, said = run(capsys, "edit", *text, "--output", tmp_path)
    assert (code, (tmp_path / "happy-face.png").is_file()) == (0, True), said


def test_a_matrix_of_another_generator_or_another_clip_is_refused_and_nothing_is_written(tmp_path, capsys, matrices):
    rows = np.load(matrices / "m.npy")
    for name, other in (("small.npy", rows[:100]), ("narrow.npy", rows[:, :100])):
        np.save(tmp_path / name, other)
        code, heard = run(capsys, "edit", "--directions", tmp_path / name, "--output", tmp_path / "out")
        assert (code, heard.count("\n")) == (2, 1), heard
        assert not (tmp_path / "out").exists()


def test_a_direction_is_a_unit_vector_and_turns_round_with_its_texts():
    clip = zoo.load("clip")
    there, back = (text_direction(clip, *pair, templates=("a photo of a {}",)) for pair in (("sad face", "happy face"), ("happy face", "sad face")))
    assert float(there.norm()) == pytest.approx(1)
    assert float(there @ back) == pytest.approx(-1)
    with pytest.raises(UserError, match="can tell apart"):
        text_direction(clip, "face", "face", templates=("a photo of a {}",))


def test_a_mapper_writes_a_strip_and_a_code_that_draws_its_last_picture(tmp_path, capsys):
    code, said = run(capsys, "edit", "--seed", 3, "--mapper", "happy", "--output", tmp_path, "--frames", 2)
    assert code == 0, said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["happy-frames", "happy.npy", "happy.png"]
    generator = zoo.load("generator")
    ws = read_latent(tmp_path / "happy.npy", generator.num_ws, generator.config.w_dim).ws
    drawn = generator.synthesis(ws, noise_mode="const").clamp(-1, 1)[0]
    assert float((drawn - read_image(tmp_path / "happy-frames" / "0001.png")).abs().max()) <= 1.5 / 127.5


def test_a_published_mapper_moves_a_person_and_one_of_another_generator_is_refused(tmp_path, capsys):
    generator, levels = zoo.load("generator"), ("coarse", "middle")
    state = {f"mapper.{k}": t for k, t in LevelsMapper(generator.num_ws, levels, generator.config.w_dim).nets.state_dict().items()}
    for rows in (generator.num_ws, 18):
        state["decoder.noises.noise_0"] = torch.ones(1)
        torch.save({"state_dict": state | {f"decoder.noises.noise_{k}": torch.ones(1) for k in range(rows - 1)}, "opts": {}}, tmp_path / f"{rows}.pt")
    code, said = run(capsys, "edit", "--mapper", tmp_path / f"{generator.num_ws}.pt", "--direction-offset", "0,1", "--output", tmp_path / "out")
    assert code == 0 and "levels coarse, middle at 2 strengths" in said
    code, said = run(capsys, "edit", "--mapper", tmp_path / "18.pt", "--output", tmp_path / "other", "--dry-run")
    assert code == 2 and "the mapper needs codes [N, 18, 512]" in said and not (tmp_path / "other").exists()
