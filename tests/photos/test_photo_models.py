"""Which networks a photo goes through, by profile."""

import functools

import pytest
import torch
from iplkit.invert.tiny_published import ROWS, SIZE, SMALL, WIDTH, checkpoint, small_decoder

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.images import from_pil
from iplkit.invert.align import FFHQ, WORLD
from iplkit.invert.portraits import Cutting
from iplkit.photos import models as photo_models
from iplkit.photos.invert import Search, invert_photos
from iplkit.photos.models import load_models
from iplkit.stylegan2.checkpoints import save_rosinality
from iplkit.zoo_files import write_down


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """A reader's folder with a small ReStyle-e4e and nothing else."""
    monkeypatch.setenv(zoo.PAPER_FOLDER, str(tmp_path))
    monkeypatch.setattr(photo_models, "load_encoder", functools.partial(photo_models.load_encoder, sizes=SMALL))
    torch.save(checkpoint("restyle-e4e"), tmp_path / "restyle_e4e_ffhq_encode.pt")
    return tmp_path


def test_the_world_needs_no_file_and_knows_a_person_again(face):
    models = load_models()
    assert (models.profile, models.framing, models.noise_mode, models.size, models.encoder) == ("world", WORLD, "none", 64, None)
    image = from_pil(face.resize((64, 64)))
    assert float(models.likeness(image, image)) == pytest.approx(1, abs=1e-5) and float(models.likeness(image, -image)) < 0.9
    assert models.draw(models.generator, torch.zeros(1, 10, 512)).shape == (1, 3, 64, 64)


def test_a_published_encoder_brings_its_own_generator_and_the_ffhq_crop(paper, photos):
    models = load_models("paper", "restyle-e4e")
    assert (models.framing, models.noise_mode, models.size, models.likeness) == (FFHQ, "const", SIZE, None)
    assert models.about["encoder"]["kind"] == "restyle-e4e" and models.about["encoder"]["generator"] == "file"
    seen = []
    invert_photos([photos / "a.png"], models, Cutting(SIZE, aligned=False), Search("encode", passes=2), seen.append)
    assert seen[0].ws.shape == (1, ROWS, WIDTH) and seen[0].numbers["identity"] is None and seen[0].about["best_pass"] in (1, 2)
    assert torch.equal(seen[0].image, models.draw(models.generator, seen[0].ws))


def test_the_readers_generator_is_taken_where_there_is_one(paper):
    save_rosinality(paper / "stylegan2-ffhq-config-f.pt", small_decoder())
    assert load_models("paper", paper / "restyle_e4e_ffhq_encode.pt").about["encoder"]["generator"] == "given"
    assert load_models("paper").encoder is None
    save_rosinality(paper / "stylegan2-ffhq-config-f.pt", small_decoder(32))
    write_down(paper / "stylegan2-ffhq-config-f.pt")  # another file, on purpose
    with pytest.raises(UserError, match="64 px .* this one draws 32 px"):
        load_models("paper", "restyle-e4e")


def test_an_optimisation_of_the_paper_asks_for_its_vgg(paper, photos):
    models, seen = load_models("paper", "restyle-e4e"), []
    report = invert_photos([photos / "a.png"], models, Cutting(SIZE, aligned=False), Search("encode+refine", steps=1), seen.append)
    assert not seen and "vgg16" in report.failed[0][1] and "iplkit zoo get vgg16" in report.failed[0][1]


@pytest.mark.parametrize("arguments, words", [
    (("mars",), "profile must be one of world, paper; got 'mars'"),
    (("world", "e4e"), "the world has an encoder of its own"),
    (("paper", "psp"), "there is none at .*psp_ffhq_encode.pt"),
    (("paper",), "stylegan2-ffhq-config-f.pt"),
    (("world", None, None, "cuda"), "device cuda needs a GPU"),
])  # fmt: skip
def test_models_that_are_not_there_are_named(paper, monkeypatch, arguments, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=words):
        load_models(*arguments)
