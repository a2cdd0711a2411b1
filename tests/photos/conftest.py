"""Small models of the real kind, and photos with a face whose landmarks are known."""

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from small_photos import small_generator

from iplkit.images import to_pil
from iplkit.invert.align import FFHQ
from iplkit.invert.methods import DEFAULTS
from iplkit.photos.models import PhotoModels
from iplkit.world.factors import NUM_FACTORS, indices
from iplkit.world.render import render


@pytest.fixture
def models():
    """64 px, 10 rows of 32; without an encoder."""
    def likeness(a, b):
        return F.cosine_similarity(a.flatten(1), b.flatten(1))

    return PhotoModels("world", small_generator(), None, FFHQ, "none", DEFAULTS, lambda: None, likeness, {"generator": "small"})


@pytest.fixture(scope="session")
def face():
    """A render in which dlib finds a face, 150 px."""
    factors = torch.rand(1, NUM_FACTORS, generator=torch.Generator().manual_seed(5))
    factors[:, indices(("yaw", "pitch", "size"))] = 0.5
    factors[:, indices(("glasses", "beard", "fringe"))] = 0
    return to_pil(render(factors, size=148))


@pytest.fixture
def photos(tmp_path, face):
    """A folder: one face in a larger picture, one portrait, a text and a picture without a face."""
    folder = tmp_path / "photos"
    folder.mkdir()
    sheet = Image.new("RGB", (280, 220), (90, 120, 90))
    sheet.paste(face, (100, 50))
    sheet.save(folder / "a.png")
    face.resize((64, 64), Image.Resampling.LANCZOS).save(folder / "b.jpg", quality=95)
    (folder / "c.jpg").write_text("hello")
    Image.new("RGB", (64, 64), "gray").save(folder / "d.png")
    return folder
