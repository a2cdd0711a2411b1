import pytest
import torch
from torch.testing import assert_close
from torchvision.models import vgg16

from iplkit.errors import UserError
from iplkit.invert.vgg import PAPER, load_vgg, paper_perceptual


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Random weights in torchvision's own layout, without the classifier's 120 million."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with torch.device("meta"):
            state = {name: t for name, t in vgg16(weights=None).state_dict().items() if name.startswith("features.")}
        state = {name: torch.randn(t.shape) * 0.05 for name, t in state.items()}
    state["classifier.6.bias"] = torch.zeros(1000)
    path = tmp_path_factory.mktemp("weights") / "vgg16-397923af.pth"
    torch.save(state, path)
    return path, state


def test_the_four_layers_are_torchvisions(published):
    path, state = published
    with torch.device("meta"):
        theirs = vgg16(weights=None).features
    theirs.load_state_dict({n.removeprefix("features."): t for n, t in state.items() if n.startswith("features.")}, assign=True)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    for rectified, places in ((True, (1, 3, 13, 20)), (False, (0, 2, 12, 19))):
        found = load_vgg(path, rectified=rectified)(images)
        for place, ours in zip(places, found, strict=True):
            x = ((images + 1) / 2 - mean) / std
            for layer in theirs[: place + 1]:
                x = torch.relu(x) if isinstance(layer, torch.nn.ReLU) else layer(x)
            assert_close(ours, x)


def test_a_large_picture_is_averaged_to_256_pixels(published):
    net = load_vgg(published[0], PAPER[:1])
    assert net(torch.zeros(1, 3, 512, 512))[0].shape[-1] == 256 == net(torch.zeros(1, 3, 256, 256))[0].shape[-1]


def test_the_paper_needs_the_readers_file_and_says_how_to_get_it(published, tmp_path):
    assert paper_perceptual(folder=published[0].parent).name == "VGG-16: conv1_1, conv1_2, conv3_2, conv4_2"
    with pytest.raises(UserError, match="iplkit zoo get vgg16"):
        paper_perceptual(folder=tmp_path)


def test_the_file_of_another_network_and_an_unknown_layer_are_refused(published, tmp_path):
    short = {n: t for n, t in published[1].items() if n != "features.19.weight"}
    torch.save(short, tmp_path / "cut.pth")
    with pytest.raises(UserError, match="features.19.weight"):
        load_vgg(tmp_path / "cut.pth")
    with pytest.raises(UserError, match="conv9_9"):
        load_vgg(published[0], ("conv9_9",))
