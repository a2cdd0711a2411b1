import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.images import from_pil, from_uint8, grid, read_image, resize, to_pil, to_uint8, write_image


def test_every_byte_survives_the_way_to_float_and_back():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    assert torch.equal(to_uint8(from_uint8(levels)), levels)
    assert from_uint8(levels).min() == -1 and from_uint8(levels).max() == 1


def test_bytes_are_rounded_to_the_nearest_and_clamped():
    x = torch.tensor([-5.0, -1.0, 0.6 / 127.5 - 1, 0.4 / 127.5 - 1, 1.0, 5.0]).view(1, 1, 1, 6)
    assert to_uint8(x).flatten().tolist() == [0, 0, 1, 0, 255, 255]


def test_an_image_that_is_not_a_number_is_refused():
    with pytest.raises(UserError, match="finite"):
        to_uint8(torch.full((1, 3, 2, 2), float("nan")))


def test_from_uint8_refuses_floats():
    with pytest.raises(UserError, match="uint8"):
        from_uint8(torch.zeros(1, 3, 2, 2))


def test_pil_keeps_red_on_the_left():
    image = -torch.ones(1, 3, 2, 4)
    image[:, 0, :, :2] = 1
    picture = to_pil(image)
    assert picture.size == (4, 2) and picture.getpixel((0, 0)) == (255, 0, 0) and picture.getpixel((3, 0)) == (0, 0, 0)
    assert torch.equal(from_pil(picture), image)


def test_pil_takes_one_image_only():
    with pytest.raises(UserError, match="one image"):
        to_pil(torch.zeros(2, 3, 4, 4))


def test_a_photo_is_turned_as_its_camera_held_it(tmp_path):
    picture = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    picture.save(tmp_path / "p.jpg", exif=exif)
    assert read_image(tmp_path / "p.jpg").shape == (1, 3, 4, 2)


def test_a_written_image_is_read_back(tmp_path, generator):
    image = from_uint8(torch.randint(0, 256, (1, 3, 5, 7), generator=generator, dtype=torch.uint8))
    write_image(tmp_path / "x.png", image)
    assert torch.equal(read_image(tmp_path / "x.png"), image)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "x.png").write_text("hello")
    with pytest.raises(UserError, match="whole picture"):
        read_image(tmp_path / "x.png")
    with pytest.raises(UserError, match="there is none"):
        read_image(tmp_path / "none.png")


@pytest.mark.parametrize("mode", ["bicubic", "bilinear", "area"])
def test_resizing_keeps_a_flat_image(mode):
    x = torch.full((1, 3, 16, 16), 0.3)
    for size in (8, 32, (4, 12)):
        assert_close(resize(x, size, mode=mode), torch.full((1, 3, *((size, size) if isinstance(size, int) else size)), 0.3))


def test_only_antialiasing_removes_a_pattern_too_fine_for_the_small_image():
    stripes = torch.tensor([1.0, -1.0]).repeat(32).expand(1, 3, 64, 64)
    assert resize(stripes, 20).abs().mean() < 0.1
    assert resize(stripes, 20, antialias=False).abs().mean() > 0.5


def test_an_unknown_way_to_resize_is_refused():
    with pytest.raises(UserError, match="mode"):
        resize(torch.zeros(1, 3, 4, 4), 2, mode="cubic")


def test_a_grid_runs_row_by_row_with_gaps():
    images = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 2, 2)
    sheet = grid(images, columns=3, gap=1, fill=-1)
    assert sheet.shape == (1, 3, 5, 8)
    assert sheet[0, 0, 0].tolist() == [0, 0, -1, 1, 1, -1, 2, 2]
    assert sheet[0, 0, 4].tolist() == [3, 3, -1, 4, 4, -1, -1, -1]


def test_a_grid_needs_images():
    with pytest.raises(UserError, match="grid needs"):
        grid(torch.zeros(0, 3, 2, 2), columns=2)
