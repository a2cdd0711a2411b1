"""From a folder of photos to latents, and what is written about them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from iplkit.errors import UserError
from iplkit.images import read_image, to_uint8
from iplkit.invert.encoders import Passes
from iplkit.invert.latent_files import read_latent
from iplkit.invert.portraits import Cutting
from iplkit.photos import invert as photos_invert
from iplkit.photos.invert import Search, invert_photos, unique_stems, write_found

HOW = Cutting(64, aligned=False)
QUICK = Search("optimize", steps=2)


def test_a_batch_goes_on_and_lists_what_failed(photos, models, tmp_path):
    out, paths = tmp_path / "out", sorted(photos.iterdir())
    report = invert_photos(paths, models, HOW, QUICK, lambda found: write_found(found, out))
    assert [stem for stem, _ in report.done] == ["a", "b"]
    assert [path.name for path, _ in report.failed] == ["c.jpg", "d.png"]
    assert "it is text" in report.failed[0][1] and "none was found" in report.failed[1][1]
    files = {f"{stem}{end}" for stem in "ab" for end in (".npy", ".json", "-portrait.png", "-reconstruction.png", "-strip.png")}
    assert {p.name for p in out.iterdir()} == files


def test_the_written_latent_draws_the_written_reconstruction(photos, models, tmp_path):
    invert_photos([photos / "a.png"], models, HOW, QUICK, lambda found: write_found(found, tmp_path))
    latent = read_latent(tmp_path / "a.npy", 10, 32)
    drawn = to_uint8(models.draw(models.generator, latent.ws)).int()
    assert latent.stored == (1, 10, 32) and (drawn - to_uint8(read_image(tmp_path / "a-reconstruction.png")).int()).abs().max() <= 1
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["picture"] == "a.png" and record["method"] == "optimize" and record["steps"] == 2 and record["space"] == "w+"
    portrait, made = (read_image(tmp_path / f"a-{name}.png") for name in ("portrait", "reconstruction"))
    mse = ((portrait - made) / 2).square().mean().item()
    assert record["numbers"]["psnr_db"] == pytest.approx(-10 * np.log10(mse), abs=0.1)
    assert record["numbers"]["distance_to_mean"] == pytest.approx(float((latent.ws - models.generator.mapping.w_avg).norm(dim=-1).mean()), abs=1e-3)
    assert set(record["numbers"]) == {"psnr_db", "identity", "distance_to_mean", "seconds"} and np.array(record["quad"]).shape == (4, 2)


def test_a_portrait_that_spoils_the_search_does_not_spoil_the_others(photos, models, monkeypatch):
    whole = photos_invert.find_codes

    def refuse_the_second(images, *arguments):
        if len(images) > 1 or images.mean() > bright:
            raise UserError("an inversion needs finite losses")
        return whole(images, *arguments)

    paths, seen = [photos / "a.png", photos / "b.jpg"], []
    means = [float(invert_one(p, models).portrait.image.mean()) for p in paths]
    bright = sum(means) / 2
    monkeypatch.setattr(photos_invert, "find_codes", refuse_the_second)
    report = invert_photos(paths, models, HOW, QUICK, seen.append)
    spoiled = int(np.argmax(means))
    assert [f.stem for f in seen] == ["ab"[1 - spoiled]] and report.failed == [(paths[spoiled], "an inversion needs finite losses")]


def invert_one(path, models, search=QUICK):
    seen = []
    invert_photos([path], models, HOW, search, seen.append)
    return seen[0]


def test_every_face_gets_files_of_its_own(tmp_path, face, models):
    both = Image.new("RGB", (300, 150), (90, 120, 90))
    both.paste(face, (0, 0)), both.paste(face.resize((110, 110)), (170, 20))
    both.save(tmp_path / "two.png")
    report = invert_photos([tmp_path / "two.png"], models, Cutting(64, aligned=False, faces="all"), Search("optimize", steps=0), lambda found: None)
    assert [stem for stem, _ in report.done] == ["two-face1", "two-face2"]


def test_photos_of_one_name_in_two_folders_are_kept_apart(tmp_path):
    paths = [tmp_path / "a" / "me.jpg", tmp_path / "b" / "me.png", tmp_path / "me_2.png"]
    assert unique_stems(paths) == ["me", "me_2", "me_2_2"]


class FixedEncoder:
    """Stands where a published encoder stands; its second pass is the best for the first portrait, its last for the second."""

    iterative = True

    def run(self, images, passes):
        ws = torch.stack([torch.full((len(images), 10, 32), float(p)) for p in range(passes)])
        errors = torch.tensor([[3.0, 3.0], [1.0, 2.0], [2.0, 1.0]])
        return Passes(ws, torch.zeros(passes, len(images), 3, 64, 64), errors[:, : len(images)])


def test_of_an_encoders_passes_each_portraits_best_is_kept(photos, models):
    from dataclasses import replace

    seen = []
    paper = replace(models, encoder=FixedEncoder())
    invert_photos([photos / "a.png", photos / "b.jpg"], paper, HOW, Search("encode", passes=3), seen.append)
    assert [float(f.ws[0, 0, 0]) for f in seen] == [1, 2] and [f.about["best_pass"] for f in seen] == [2, 3]
    seen.clear()
    invert_photos([photos / "a.png"], paper, HOW, Search("encode+refine", passes=3, steps=0), seen.append)
    assert (seen[0].ws == 1).all() and seen[0].about["steps"] == 0


def test_an_encoder_is_needed_for_encoding_outside_of_the_world(photos, models):
    from dataclasses import replace

    report = invert_photos([photos / "a.png"], replace(models, profile="paper"), HOW, Search("encode"), print)
    assert "encode needs the file of a published encoder (--encoder FILE)" in report.failed[0][1]


def test_what_does_not_fit_is_refused_before_any_photo_is_opened(photos, models):
    paths = sorted(photos.iterdir())
    for wrong, words in (
        (lambda: invert_photos(paths, models, HOW, QUICK, print, np.zeros((5, 2))), "belong to one photo; got 4"),
        (lambda: invert_photos(paths, models, Cutting(128), QUICK, print), "draws 64 px; got portraits of 128 px"),
        (lambda: Search("plus"), "one of encode, encode.refine, optimize, project; got 'plus'"),
        (lambda: Search(space="s"), "z, w or w.; got 's'"),
    ):
        with pytest.raises(UserError, match=words):
            wrong()


def test_a_strip_shows_the_photo_with_a_frame_and_then_the_pictures(photos, models, tmp_path):
    invert_photos([photos / "a.png"], models, HOW, QUICK, lambda found: write_found(found, tmp_path))
    strip, portrait = (to_uint8(read_image(tmp_path / f"a-{name}.png"))[0].permute(1, 2, 0).numpy().astype(int) for name in ("strip", "portrait"))
    assert strip.shape[1] == 3 * 256 + 2 * 4
    blue = np.abs(strip[:, :256] - [0, 0x72, 0xB2]).max(axis=2) < 8
    assert 100 < blue.sum() < 4000 and not (np.abs(strip[:, 260:] - [0, 0x72, 0xB2]).max(axis=2) < 8).all(axis=1).any()
    assert (strip[-256::4, 260:516:4] == portrait).all()
