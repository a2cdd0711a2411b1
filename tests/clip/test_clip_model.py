"""One CLIP, from our file or from the reader's: same towers, same rules."""

import zipfile

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from iplkit.clip.model import ClipConfig, build_world_clip, compact_ids, load_clip, load_open_clip, save_clip, to_compact
from iplkit.clip.towers import Clip, resize_and_crop
from iplkit.errors import UserError

TEXTS = ["a photo of a disney", "anime painting", "a human."]
WORDS = ["a", "photo", "of", "disney", "anime", "painting", "human", "ukiyo-e"]


@pytest.fixture(scope="module")
def shipped(compact_clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_clip(path, compact_clip, words=WORDS, metadata={"steps": 3})
    return path


@pytest.fixture(scope="module")
def loaded(shipped):
    return load_clip(shipped)


# -- towers --------------------------------------------------------------------------------------


def test_the_default_is_the_world_profiles_clip():
    towers = ClipConfig().towers(49408)
    assert towers["vision_cfg"]["layers"] == (2, 2, 3, 1) and "patch_size" not in towers["vision_cfg"]
    assert towers["text_cfg"]["width"] // towers["text_cfg"]["heads"] == 64
    assert towers["embed_dim"] == 256


def test_encode_text_equals_open_clip_on_77_rows(tiny_clip):
    ids = tiny_clip.tokenize(TEXTS)
    assert_close(tiny_clip.encode_text(ids), tiny_clip.model.encode_text(ids), atol=1e-5, rtol=1e-5)


def test_a_sentence_does_not_see_its_batch(tiny_clip):
    ids = tiny_clip.tokenize(TEXTS)
    assert_close(tiny_clip.encode_text(ids)[1:2], tiny_clip.encode_text(ids[1:2]), atol=1e-5, rtol=1e-5)


def test_encode_image_equals_open_clip_on_normalized_pixels(tiny_clip, generator):
    pixels = torch.rand(2, 3, 32, 32, generator=generator)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    want = tiny_clip.model.encode_image((pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1))
    assert_close(tiny_clip.encode_image(pixels * 2 - 1), want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (20, 20), (48, 80), (70, 33)])
def test_any_size_comes_out_as_the_towers_square(shape):
    assert resize_and_crop(torch.zeros(1, 3, *shape), 32).shape == (1, 3, 32, 32)


def test_the_middle_is_kept():
    images = torch.zeros(1, 3, 8, 24)
    images[..., 8:16] = 1
    assert_close(resize_and_crop(images, 8), torch.ones(1, 3, 8, 8))


def test_without_antialias_a_fine_pattern_survives_shrinking():
    stripes = torch.ones(1, 3, 64, 64)
    stripes[..., ::4] = -1  # every fourth column
    filtered, legacy = (resize_and_crop(stripes, 16, antialias) for antialias in (True, False))
    assert filtered.std() < 0.1
    assert (legacy - filtered).abs().max() > 0.3


def test_legacy_resize_changes_the_feature_and_the_own_size_does_not_care(tiny_clip, generator):
    large, own = (torch.rand(1, 3, s, s, generator=generator) for s in (96, 32))
    assert (tiny_clip.encode_image(large) - tiny_clip.encode_image(large, antialias=False)).norm() > 1e-3
    assert_close(tiny_clip.encode_image(own), tiny_clip.encode_image(own, antialias=False))


def test_gradients_reach_the_picture_and_not_the_weights(tiny_clip, generator):
    images = torch.rand(1, 3, 48, 48, generator=generator).requires_grad_()
    tiny_clip.encode_image(images).square().sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in tiny_clip.parameters())


def test_forward_gives_unit_features_and_the_scale(tiny_clip):
    image, text, scale = tiny_clip(torch.zeros(3, 3, 32, 32), tiny_clip.tokenize(TEXTS))
    assert_close(image.norm(dim=-1), torch.ones(3))
    assert_close(text.norm(dim=-1), torch.ones(3))
    assert_close(scale, torch.tensor(1 / 0.07))


def test_one_seed_gives_one_model_and_leaves_global_randomness_alone(config, compact_clip):
    before = torch.get_rng_state()
    again = build_world_clip(config, compact_clip.token_ids, seed=2).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    for name, tensor in compact_clip.state_dict().items():
        assert torch.equal(tensor, again[name])


TRANSFORMER = {"vision_layers": 2, "vision_width": 64}


@pytest.mark.parametrize("sizes", [TRANSFORMER | {"patch_size": 7}, {"vision_layers": 2, "vision_width": 100}, {"text_heads": 5}])
def test_sizes_that_do_not_divide_are_refused(sizes):
    with pytest.raises(UserError, match="multiple"):
        ClipConfig(**sizes)


@pytest.mark.parametrize("sizes", [{"vision_layers": (1, 1, 1)}, {"image_size": 48}, {"vision_width": 25}])
def test_a_resnet_that_open_clip_cannot_build_is_refused(sizes):
    with pytest.raises(UserError, match="a ResNet needs 4 numbers"):
        ClipConfig(**sizes)


def test_a_resnet_survives_the_disk(tmp_path):
    config = ClipConfig(image_size=32, vision_width=8, vision_layers=(1, 1, 1, 1), text_width=64, text_layers=1, text_heads=1, embed_dim=24)
    clip = build_world_clip(config, token_ids=compact_ids(["a photo of a sketch"])).eval()
    save_clip(tmp_path / "clip.safetensors", clip)
    read = load_clip(tmp_path / "clip.safetensors")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert read.config == config
    assert_close(read.encode_image(images), clip.encode_image(images))


@pytest.mark.parametrize("ids", [[0, 5, 49406], [5, 0, 49406, 49407], [0, 5, 5, 49406, 49407]])
def test_a_table_without_its_ends_or_order_is_refused(config, ids):
    with pytest.raises(UserError, match="sorted"):
        build_world_clip(config, ids)


def test_a_picture_of_another_shape_is_refused(tiny_clip):
    with pytest.raises(UserError, match="N, 3, H, W"):
        tiny_clip.encode_image(torch.zeros(3, 32, 32))


def test_a_model_without_a_causal_tower_is_refused(config):
    towers = config.towers(100)
    towers["text_cfg"]["no_causal_mask"] = True
    with pytest.raises(UserError, match="causal"):
        Clip(open_clip.CLIP(**towers))


# -- words ---------------------------------------------------------------------------------------


def test_an_unknown_word_is_refused_with_the_nearest_known_ones(loaded):
    with pytest.raises(UserError, match="'dinsey' is not one, the nearest it knows: disney"):
        loaded.tokenize(["a photo of a dinsey"])
    with pytest.raises(UserError, match="none that is near"):
        loaded.tokenize(["zzzzzz"])


def test_a_sign_without_a_trained_row_is_refused(loaded):
    with pytest.raises(UserError, match="signs"):
        loaded.tokenize(["a photo?"])


def test_unknown_words_pass_when_asked(loaded, tiny_clip):
    texts = ["a photo of a zebra?"]
    assert_close(loaded.tokenize(texts, allow_unknown=True), tiny_clip.tokenize(texts))


def test_known_words_pass_in_any_case_and_with_hyphens(loaded):
    assert loaded.tokenize(["A photo of Ukiyo-e."]).shape == (1, 77)


# -- files ---------------------------------------------------------------------------------------


def test_a_compact_model_and_its_file_in_the_full_table_agree(compact_clip, loaded):
    ids = loaded.tokenize(TEXTS)
    want = compact_clip.encode_text(to_compact(ids, compact_clip.token_ids))
    assert_close(loaded.encode_text(ids), want, atol=1e-6, rtol=1e-5)
    assert not loaded.is_compact and loaded.token_embedding.num_embeddings == 49408
    images = torch.zeros(1, 3, 32, 32)
    assert_close(loaded.encode_image(images), compact_clip.encode_image(images))


def test_rows_nobody_trained_are_zero(loaded):
    used = torch.zeros(49408, dtype=torch.bool)
    used[loaded.token_ids] = True
    assert (loaded.token_embedding.weight[~used] == 0).all()


def test_the_file_holds_only_the_trained_rows(shipped, config):
    full_table = 4 * 49408 * config.text_width
    assert shipped.stat().st_size < full_table / 5


def test_saving_a_loaded_model_gives_the_same_bytes(shipped, loaded, tmp_path):
    save_clip(tmp_path / "again.safetensors", loaded, words=WORDS, metadata={"steps": 3})
    assert (tmp_path / "again.safetensors").read_bytes() == shipped.read_bytes()


def test_half_precision_keeps_the_ids_exact(compact_clip, loaded, tmp_path):
    save_clip(tmp_path / "half.safetensors", compact_clip, dtype=torch.float16)
    half = load_clip(tmp_path / "half.safetensors")
    assert half.token_ids == compact_clip.token_ids and half.words is None
    ids = half.tokenize(TEXTS)
    assert torch.cosine_similarity(half.encode_text(ids), loaded.encode_text(ids)).min() > 0.999


def test_a_loaded_model_is_frozen(loaded):
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_a_compact_model_refuses_clips_own_ids(compact_clip):
    with pytest.raises(UserError, match="to_compact"):
        compact_clip.encode_text(compact_clip.tokenize(TEXTS))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "page.safetensors").write_text("<html>no such file</html>")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name, message in [("page", "web page"), ("other", "save_clip"), ("none", "there is none")]:
        with pytest.raises(UserError, match=message):
            load_clip(tmp_path / f"{name}.safetensors")


def test_saving_needs_a_model_of_ours_and_as_many_ids_as_rows(compact_clip, tiny_clip, tmp_path):
    with pytest.raises(UserError, match="build_world_clip"):
        save_clip(tmp_path / "x.safetensors", tiny_clip)
    with pytest.raises(UserError, match="rows"):
        save_clip(tmp_path / "x.safetensors", compact_clip, token_ids=[0, 49406, 49407])


@pytest.fixture
def small_architecture(monkeypatch, config):
    """open_clip's catalog with one name that builds our tiny towers."""
    monkeypatch.setattr(open_clip, "list_models", lambda: ["tiny-clip"])
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: config.towers(49408))


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_the_readers_own_weights_load_and_know_all_words(small_architecture, tiny_clip, tmp_path, ending):
    weights, path = tiny_clip.model.state_dict(), tmp_path / f"weights.{ending}"
    save_file(weights, path) if ending == "safetensors" else torch.save({"state_dict": weights}, path)
    clip = load_open_clip("tiny-clip", path)
    ids = clip.tokenize(["a zebra?"])
    assert_close(clip.encode_text(ids), tiny_clip.encode_text(ids))
    assert not any(p.requires_grad for p in clip.parameters())


def test_weights_that_do_not_fit_are_refused_by_name(small_architecture, tmp_path):
    torch.save({"ln_final.weight": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(UserError, match="do not fit"):
        load_open_clip("tiny-clip", tmp_path / "x.pt")


def test_a_file_that_could_run_code_is_refused(small_architecture, tmp_path):
    torch.save({"x": pytest.fail}, tmp_path / "x.pt")
    with pytest.raises(UserError, match="plain state dict"):
        load_open_clip("tiny-clip", tmp_path / "x.pt")


def test_an_archive_of_the_file_is_to_be_unpacked_first(small_architecture, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("ViT-B-32.pt", b"weights")
    with pytest.raises(UserError, match="an archive with ViT-B-32.pt inside, so unpack it first"):
        load_open_clip("tiny-clip", tmp_path / "x.pt")


def test_names_outside_open_clips_catalog_are_refused_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match="ViT-B-32"):
        load_open_clip("ViT-B-33", tmp_path / "x.pt")
    with pytest.raises(UserError, match="own text tower"):
        load_open_clip("roberta-ViT-B-32", tmp_path / "x.pt")
