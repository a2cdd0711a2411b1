import pytest
import torch
from torch.testing import assert_close

from iplkit.extractors.base import random_state
from iplkit.extractors.inception import Inception, TorchvisionInception, resize_tf1


@pytest.fixture(scope="module")
def state():
    return random_state(Inception.build())


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (2, 3, 96, 80), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_the_state_has_the_published_keys(state):
    assert len(state) == 566 and state["fc.weight"].shape == (1008, 2048)
    assert sum(name.endswith("conv.weight") for name in state) == 94


def test_features_are_those_of_torch_fidelity_on_the_same_weights(state, images, tmp_path):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.save(state, tmp_path / "weights.pth")
    names = ["2048", "logits_unbiased", "logits"]
    reference = FeatureExtractorInceptionV3("inception-v3-compat", names, feature_extractor_weights_path=str(tmp_path / "weights.pth"))
    found = Inception.from_file(tmp_path / "weights.pth")(images)
    for want, layer in zip(reference(images), Inception.layers, strict=True):
        assert_close(found[layer], want, rtol=1e-5, atol=1e-5 * want.abs().max().item())


@pytest.mark.parametrize("size", [(32, 32), (299, 40), (400, 310)])
def test_the_resize_is_that_of_tensorflow_1(size, generator):
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    x = torch.rand(1, 3, *size, generator=generator) * 255
    want = interpolate_bilinear_2d_like_tensorflow1x(x, size=(299, 299), align_corners=False)
    assert_close(resize_tf1(x), want, rtol=0, atol=1e-3)


def test_torchvision_weights_give_torchvision_logits(images):
    from torchvision.models import inception_v3

    net = inception_v3(weights=None, init_weights=False)
    net.load_state_dict(random_state(net))
    found = TorchvisionInception(net.state_dict())(images)
    want = net.eval()(images.float() / 127.5 - 1).detach()
    assert_close(found["logits"], want, rtol=1e-5, atol=1e-5 * want.abs().max().item())


def test_the_maps_of_sifid_lie_before_the_two_poolings():
    images = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    found = TorchvisionInception.random_weights()(images, ["map64", "map192"])
    assert found["map64"].shape == (1, 64, 125, 125) and found["map192"].shape == (1, 192, 60, 60)
