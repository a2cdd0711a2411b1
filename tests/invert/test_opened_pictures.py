"""What readers bring: every kind of picture file, and every kind of file that is none."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from iplkit.errors import UserError
from iplkit.invert.pictures import open_picture, pictures_in, try_each

RED, GREEN = (200, 30, 40), (20, 180, 60)


def stripes(mode="RGB", size=(64, 48)):
    """Red on the left, green on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (size[0] // 2, 0, *size))
    return image.convert(mode)


def saved(folder, image, name="photo.png", **options):
    image.save(folder / name, **options)
    return folder / name


def pixels(path):
    return np.asarray(open_picture(path).rgb).astype(int)


@pytest.mark.parametrize("name, mode", [
    ("a.png", "RGB"), ("a.jpg", "RGB"), ("a.webp", "RGB"), ("a.tif", "RGB"), ("a.bmp", "RGB"), ("a.gif", "P"), ("a.png", "P"),
    ("a.tif", "CMYK"), ("a.jpg", "CMYK"), ("a.tif", "YCbCr"), ("a.tif", "LAB"), ("a.png", "RGBA"), ("a.png", "1"),
])  # fmt: skip
def test_any_kind_of_file_becomes_upright_rgb_bytes(tmp_path, name, mode):
    picture = stripes()
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(picture, to_lab)
    elif mode != "RGB":
        picture = picture.convert(mode, palette=Image.Palette.ADAPTIVE)
    found = open_picture(saved(tmp_path, picture, name))
    assert found.rgb.mode == "RGB" and found.rgb.size == (64, 48)
    if mode != "1":
        left, right = np.asarray(found.rgb)[24, 8].astype(int), np.asarray(found.rgb)[24, 56].astype(int)
        assert np.abs(left - RED).max() <= 12 and np.abs(right - GREEN).max() <= 12, (left, right)


def test_a_photo_is_turned_as_its_camera_held_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    path = saved(tmp_path, stripes(), "photo.jpg", exif=exif, quality=95)
    found = pixels(path)
    assert found.shape == (64, 48, 3)
    assert np.abs(found[4, 24] - RED).max() < 12 and np.abs(found[60, 24] - GREEN).max() < 12


def test_a_damaged_note_about_the_camera_does_not_stop_the_picture(tmp_path):
    path = saved(tmp_path, stripes(), "photo.jpg", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
    assert open_picture(path).rgb.size == (64, 48)


def test_transparent_parts_become_white_and_it_is_said(tmp_path):
    image = stripes("RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    image.paste((0, 0, 0, 128), (32, 0, 64, 24))
    found = open_picture(saved(tmp_path, image))
    assert found.notes == ("its transparent parts were put on white",)
    array = np.asarray(found.rgb).astype(int)
    assert array[40, 5].tolist() == [255, 255, 255] and array[40, 60].tolist() == list(GREEN)
    assert np.abs(array[5, 60] - 127).max() <= 1


def test_an_alpha_channel_that_hides_nothing_is_not_mentioned(tmp_path):
    assert open_picture(saved(tmp_path, stripes("RGBA"))).notes == ()


@pytest.mark.parametrize("mode", ["LA", "PA"])
def test_grey_and_palette_with_alpha_are_read(tmp_path, mode):
    assert open_picture(saved(tmp_path, stripes("RGBA").convert(mode), "a.tif" if mode == "PA" else "a.png")).rgb.mode == "RGB"


def test_a_grey_picture_gets_three_equal_channels(tmp_path):
    found = pixels(saved(tmp_path, stripes("L")))
    assert (found[..., 0] == found[..., 1]).all() and (found[..., 0] == found[..., 2]).all()


def test_sixteen_bits_are_rounded_and_not_cut_off(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    found = open_picture(saved(tmp_path, Image.fromarray(ramp)))
    np.testing.assert_allclose(np.asarray(found.rgb)[..., 0], ramp / 257, atol=0.51)
    assert found.notes == ("its 16 bits were rounded to 8",)


def swapped_profile():
    """sRGB under another name, its red and green primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"xxxx"), (b"gXYZ", b"rXYZ"), (b"xxxx", b"gXYZ")):
        profile = profile.replace(old, new, 1)
    return profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")


def test_colors_of_another_profile_are_turned_into_srgb(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert open_picture(saved(tmp_path, stripes(), icc_profile=lab)).notes == ("its color profile is damaged and was passed over",)
    assert open_picture(saved(tmp_path, stripes(), "b.png", icc_profile=b"nonsense")).notes == ("its color profile is damaged and was passed over",)
    found = open_picture(saved(tmp_path, stripes(), "d.png", icc_profile=swapped_profile()))
    assert "into sRGB" in found.notes[0]
    assert np.abs(np.asarray(found.rgb)[0, 0].astype(int) - (RED[1], RED[0], RED[2])).max() <= 2
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = open_picture(saved(tmp_path, stripes(), "c.png", icc_profile=srgb))
    assert found.notes == () and np.asarray(found.rgb)[0, 0].tolist() == list(RED)


def test_of_a_moving_picture_the_first_frame_is_taken_and_it_is_said(tmp_path):
    second = Image.new("RGB", (64, 48), (0, 0, 255))
    path = saved(tmp_path, stripes(), "a.gif", save_all=True, append_images=[second])
    found = open_picture(path)
    assert "2 frames" in found.notes[0] and "save that frame as PNG" in found.notes[0]
    assert np.abs(np.asarray(found.rgb)[24, 5].astype(int) - RED).max() < 12


def test_the_name_of_a_file_does_not_matter(tmp_path):
    stripes().save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    assert open_picture(tmp_path / "x.jpg").rgb.size == (64, 48)


def png_that_claims(width, height):
    """A few bytes that say they are a huge picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def jpeg_bytes():
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("content, words", [
    (b"", "is empty: open it in a viewer"),
    (b"hello, this is a letter to nobody", "it is text: "),
    (b"<!DOCTYPE html><html>404</html>", "a web page, so the download failed: "),
    (b"<svg xmlns='x'></svg>", "a drawing in lines, not pixels"),
    (b"%PDF-1.4\n\x00", "it is a PDF"),
    (b"\x00\x00\x00\x18ftypheic\x00\x00", "it is HEIC, which is not read here: "),
    (bytes(range(256)), "it is something else"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "it is text"),
    (jpeg_bytes()[: len(jpeg_bytes()) // 2], "it ends early or is damaged"),
    (jpeg_bytes()[:20], "only the beginning of one"),
    (png_that_claims(64, 64), "it ends early or is damaged"),
    (png_that_claims(20_000, 20_000), "at most 100 million pixels; it has far more: shrink it"),
    (png_that_claims(20_000, 6_000), "at most 100 million pixels; it has 20000 x 6000: shrink it"),
    (png_that_claims(1, 1), "at least 32 pixels on each side; it has 1 x 1: take a larger copy"),
])  # fmt: skip
def test_what_is_no_usable_picture_is_refused_with_what_to_do(tmp_path, content, words):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        open_picture(path)
    sentence = str(refused.value)
    assert words in sentence and str(path) in sentence and "\n" not in sentence and ": " in sentence.split(str(path), 1)[1]


def test_a_missing_file_and_fractions_are_refused(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        open_picture(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="there is a folder"):
        open_picture(tmp_path)
    with pytest.raises(UserError, match="it holds fractions"):
        open_picture(saved(tmp_path, Image.fromarray(np.random.default_rng(0).random((64, 64), dtype=np.float32)), "a.tif"))


def test_damage_anywhere_in_a_file_is_a_sentence_or_a_picture(tmp_path):
    rng, path, refused, opened = np.random.default_rng(0), tmp_path / "x", 0, 0
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "JPEG2000", "PPM"):
        stream = io.BytesIO()
        stripes().convert("P" if kind == "GIF" else "RGB").save(stream, kind)
        for _ in range(15):
            end = rng.integers(4, len(stream.getvalue())) if rng.random() < 0.5 else None
            content = bytearray(stream.getvalue()[:end])
            for place in rng.integers(0, len(content), rng.integers(1, 4)):
                content[place] = rng.integers(256)
            path.write_bytes(content)
            try:
                opened += open_picture(path).rgb.mode == "RGB"
            except UserError as error:
                refused += len(str(error).splitlines()) == 1
    assert refused + opened == 9 * 15 and refused > 60 and opened > 10


def test_a_folder_stands_for_its_pictures_and_one_bad_file_does_not_stop_the_others(tmp_path):
    for name in ("b.png", "a.jpg"):
        stripes().save(tmp_path / name)
    (tmp_path / "c.jpg").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    paths = pictures_in([tmp_path, tmp_path / "notes.txt"])
    assert [p.name for p in paths] == ["a.jpg", "b.png", "c.jpg", "notes.txt"]
    done, failed = try_each(paths, open_picture)
    assert [p.path.name for p in done] == ["a.jpg", "b.png"]
    assert [p.name for p, _ in failed] == ["c.jpg", "notes.txt"] and all("it is text" in why for _, why in failed)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="the folder .*empty needs a picture"):
        pictures_in([tmp_path / "empty"])
