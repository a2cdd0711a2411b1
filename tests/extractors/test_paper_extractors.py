"""Each on a file of its published key layout with random weights, written here."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.extractors.arcface import ArcFace
from iplkit.extractors.base import random_state, shrink
from iplkit.extractors.dinov2 import DinoV2, Vit, VitConfig
from iplkit.extractors.hed import Hed
from iplkit.extractors.lpips import VggLpips
from iplkit.extractors.paper_clip import ClipExtractor
from iplkit.images import from_uint8, resize


def pictures(n, side, seed=0):
    return torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def reference_lpips():
    from torchmetrics.functional.image.lpips import _LPIPS

    net = _LPIPS(pretrained=True, net="vgg", pnet_rand=True).eval()
    convolutions = [m for m in net.net.modules() if isinstance(m, torch.nn.Conv2d)]
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    trunk = {f"features.{i}.{p}": getattr(m, p) for i, m in zip(places, convolutions, strict=True) for p in ("weight", "bias")}
    heads = {f"lin{i}.model.1.weight": getattr(net, f"lin{i}").model[1].weight for i in range(5)}
    return net, {name: t.detach() for name, t in trunk.items()}, {name: t.detach() for name, t in heads.items()}


def test_squared_distances_of_the_embedding_are_the_published_lpips(reference_lpips, tmp_path):
    net, trunk, heads = reference_lpips
    torch.save(trunk | {"classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "vgg16.pth")
    torch.save(heads, tmp_path / "heads.pth")
    images = pictures(2, 64)
    e = VggLpips.from_files(tmp_path / "vgg16.pth", tmp_path / "heads.pth")(images)["lpips"]
    x = images.float() / 127.5 - 1
    want = net(x[:1], x[1:]).item()
    assert_close((e[0] - e[1]).square().sum().item(), want, rtol=1e-4, atol=1e-6)  # the two codes add another epsilon


def test_heads_below_zero_are_refused(reference_lpips):
    _, trunk, heads = reference_lpips
    with pytest.raises(UserError, match="not negative"):
        VggLpips(trunk | heads | {"lin0.model.1.weight": -heads["lin0.model.1.weight"]})


def test_hed_has_the_published_tensors_and_reads_both_spellings():
    state = random_state(Hed.build())
    assert len(state) == 38 and "netVggTwo.1.weight" in state and "netCombine.0.weight" in state
    older = {f"module{name.removeprefix('net')}": t for name, t in state.items()}
    images = pictures(1, 48)
    found = Hed(state)(images)["edges"]
    assert found.shape == (1, 1, 48, 48) and 0 <= float(found.min()) <= float(found.max()) <= 1
    assert torch.equal(Hed(older)(images)["edges"], found)


def test_hed_wants_blue_first():
    class First(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.none = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return x[:, :1]

    hed = Hed.random_weights()
    hed.net = First()
    blue = torch.tensor([0, 0, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    assert_close(hed(blue)["edges"], torch.full((1, 1, 16, 16), 255 - 104.00698793))


def test_arcface_has_the_published_tensors_and_looks_only_at_the_face():
    state = random_state(ArcFace.build())
    assert len(state) == 397 and state["output_layer.3.weight"].shape == (512, 25088)
    images = pictures(2, 256)
    other = images.clone()
    other[:, :, :35], other[:, :, :, 220:] = 0, 0
    net = ArcFace(state)
    found = net(torch.cat([images, other]))["embedding"]
    assert_close(found.norm(dim=1), torch.ones(4))
    assert torch.equal(found[:2], found[2:]) and not torch.allclose(found[0], found[1])


class SmallDino(DinoV2):
    config = VitConfig(width=48, depth=2, heads=3, grid=16)


def test_dinov2_is_the_transformer_of_timm_on_the_same_weights(tmp_path):
    from timm.models.vision_transformer import VisionTransformer

    timm = VisionTransformer(img_size=224, patch_size=14, embed_dim=48, depth=2, num_heads=3, init_values=1e-5, num_classes=0)
    timm.load_state_dict(state := random_state(timm.eval()))
    torch.save(state | {"mask_token": torch.zeros(1, 48)}, tmp_path / "dino.pth")
    images = pictures(2, 224)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    want = timm.forward_features((images / 255 - mean) / std)[:, 0].detach()
    assert_close(SmallDino.from_file(tmp_path / "dino.pth")(images)["embedding"], want, rtol=1e-5, atol=1e-5)


def test_the_table_of_positions_is_stretched_to_the_patches_there_are():
    net = Vit(replace(SmallDino.config, grid=37))
    assert net.positions(16).shape == (1, 257, 48)
    assert len(DinoV2.build().state_dict()) == 342


def test_a_clip_of_open_clip_gives_unit_features_of_images_and_words(tmp_path, monkeypatch):
    import open_clip

    sizes = {"embed_dim": 32, "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}}
    sizes |= {"text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}}
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: dict(sizes))
    drawn = ClipExtractor.random_weights()
    torch.save(drawn.net.model.state_dict(), tmp_path / "clip.pt")
    clip = ClipExtractor.from_file(tmp_path / "clip.pt")
    found = clip(pictures(2, 40))["embedding"]
    assert torch.equal(found, drawn(pictures(2, 40))["embedding"]) and drawn.random and not clip.random
    assert_close(torch.cat([found, clip.text(["a photo", "a sketch"])]).norm(dim=1), torch.ones(4))


def test_pictures_larger_than_the_papers_are_shrunk_and_smaller_ones_stay():
    small, large = pictures(1, 40), pictures(1, 512)
    assert torch.equal(shrink(small), from_uint8(small))
    assert_close(shrink(large), resize(from_uint8(large), 256).clamp(-1, 1))
    assert shrink(large[:, :, :300]).shape == (1, 3, 150, 256)
