"""OpenAI's archives give their weights and never run their code."""

import io
import pickle
import warnings
import zipfile

import open_clip
import pytest
import torch
from torch.testing import assert_close

from iplkit.clip.model import load_open_clip
from iplkit.clip.text import tokenize
from iplkit.clip.torchscript import archive_tensors, is_archive
from iplkit.errors import UserError


class Published(torch.nn.Module):
    """The parts of a CLIP as OpenAI's program holds them: half precision, and a number beside them."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.register_buffer("context_length", torch.tensor(77))

    def forward(self, image, ids):
        return self.model.encode_image(image), self.model.encode_text(ids)


@pytest.fixture
def archive(tiny_clip, tmp_path):
    path = tmp_path / "tiny.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; the published files are still made of it
        traced = torch.jit.trace(Published(tiny_clip.model), (torch.zeros(1, 3, 32, 32), tokenize(["a"])), check_trace=False)
        traced.save(path)
    return path


def test_an_archive_is_known_by_its_content(archive, tmp_path):
    torch.save({"x": torch.zeros(1)}, tmp_path / "plain.pt")
    assert is_archive(archive) and not is_archive(tmp_path / "plain.pt")


def test_all_tensors_come_out_under_their_names(archive, tiny_clip):
    tensors = archive_tensors(archive)
    assert int(tensors["context_length"]) == 77
    for name, want in tiny_clip.model.state_dict().items():
        assert torch.equal(tensors[f"model.{name}"], want)


def test_an_archive_of_the_towers_loads_as_the_paper_profile(tiny_clip, config, tmp_path, monkeypatch):
    monkeypatch.setattr(open_clip, "list_models", lambda: ["tiny-clip"])
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: config.towers(49408))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(1, 3, 32, 32), tokenize(["a"]))
        torch.jit.trace(tiny_clip.model, example, check_trace=False, strict=False).save(tmp_path / "tiny.pt")
    clip, ids = load_open_clip("tiny-clip", tmp_path / "tiny.pt"), tokenize(["a photo of a dog"])
    assert_close(clip.encode_text(ids), tiny_clip.encode_text(ids))


def test_an_archive_that_asks_for_more_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("code ran",)

    content = io.BytesIO()
    pickle.Pickler(content, protocol=2).dump(Evil())
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("evil/data.pkl", content.getvalue())
        archive.writestr("evil/constants.pkl", b"")
    with pytest.raises(UserError, match="print"):
        archive_tensors(tmp_path / "evil.pt")


def test_a_damaged_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "cut.pt", "w") as archive:
        archive.writestr("cut/constants.pkl", b"")
    with pytest.raises(UserError, match="damaged"):
        archive_tensors(tmp_path / "cut.pt")
