"""One random state dict, given to OpenAI's own module and to ours: same tokens, same features."""

import sys
from importlib import import_module
from types import SimpleNamespace

import packaging.version
import pytest
import torch
from torch.testing import assert_close

from iplkit.clip.openai import from_openai, openai_sizes
from iplkit.clip.prompts import PromptContext, learned_text_features
from iplkit.errors import UserError

TEXTS = ["a photo of a photo", "a photo of a disney", "An  anime painting, naïve &amp; bright!", "ukiyo-e"]
TEXT = dict(embed_dim=24, context_length=77, vocab_size=49408, transformer_width=64, transformer_heads=1, transformer_layers=2)
VISION = {
    "transformer": dict(image_resolution=32, vision_layers=2, vision_width=64, vision_patch_size=16),
    "resnet": dict(image_resolution=32, vision_layers=(1, 1, 2, 1), vision_width=8, vision_patch_size=None),
}


@pytest.fixture(scope="module")
def openai():
    """OpenAI's module. It asks setuptools for a part that setuptools no longer has; that part stands in here."""
    with pytest.MonkeyPatch.context() as patch:
        if "clip" not in sys.modules:
            patch.setitem(sys.modules, "pkg_resources", SimpleNamespace(packaging=packaging))
        return import_module("clip")


@pytest.fixture(scope="module", params=VISION)
def theirs(request, openai):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = openai.model.CLIP(**VISION[request.param], **TEXT).eval()
        for name, parameter in model.named_parameters():  # zeros and ones hide mistakes
            if name.endswith("bias") or "bn3" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture(scope="module")
def ours(theirs):
    return from_openai(theirs)


def test_both_read_the_same_tokens(openai, ours):
    assert torch.equal(ours.tokenize(TEXTS), openai.tokenize(TEXTS))


def test_both_give_the_same_text_features(openai, theirs, ours):
    with torch.no_grad():
        wanted = theirs.encode_text(openai.tokenize(TEXTS))
    assert_close(ours.encode_text(ours.tokenize(TEXTS)), wanted, atol=1e-5, rtol=1e-5)


def test_both_give_the_same_image_features(theirs, ours, generator):
    images = torch.rand(3, 3, 48, 48, generator=generator) * 2 - 1
    with torch.no_grad():
        wanted = theirs.encode_image(ours.tower_input(images))
    assert_close(ours.encode_image(images), wanted, atol=1e-5, rtol=1e-5)
    assert_close(ours.scale, theirs.logit_scale.exp().detach())


def test_a_state_dict_and_a_traced_programs_extra_numbers_are_as_good(theirs, ours):
    extras = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77), "vocab_size": torch.tensor(49408)}
    again = from_openai(theirs.state_dict() | extras)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in ours.state_dict().items())


def test_half_precision_becomes_float32_and_the_given_model_stays(openai, theirs, ours):
    with torch.random.fork_rng(devices=[]):
        half = openai.model.build_model(dict(theirs.state_dict()))
    clip = from_openai(half)
    assert {p.dtype for p in clip.parameters()} == {torch.float32}
    assert half.dtype == torch.float16 and theirs.training is False and next(theirs.parameters()).requires_grad
    ids = clip.tokenize(TEXTS)
    assert torch.cosine_similarity(clip.encode_text(ids), ours.encode_text(ids)).min() > 0.999


def test_learned_prompts_work_behind_this_door_too(theirs, ours):
    context = PromptContext(ours, "a photo of a", 4, "photo", "disney")
    own = ours.token_embedding(context.ids["target"])[:, 1:5]
    with torch.no_grad():
        wanted = theirs.encode_text(context.ids["target"])
    assert_close(learned_text_features(ours, own, context), wanted, atol=1e-5, rtol=1e-5)


def test_other_modules_and_incomplete_weights_are_refused(theirs):
    with pytest.raises(UserError, match="'positional_embedding' is missing"):
        from_openai(torch.nn.Linear(2, 2))
    weights = theirs.state_dict()
    weights.pop("ln_final.weight")
    with pytest.raises(UserError, match="missing or do not fit"):
        from_openai(weights)


def test_the_sizes_of_a_published_model_are_read_from_its_shapes():
    shapes = {"positional_embedding": (77, 512), "text_projection": (512, 512), "token_embedding.weight": (49408, 512)}
    shapes |= {"visual.proj": (768, 512), "visual.conv1.weight": (768, 3, 32, 32), "visual.positional_embedding": (50, 768)}
    shapes |= {f"{tower}transformer.resblocks.{i}.ln_1.bias": (1,) for tower in ("", "visual.") for i in range(12)}
    sizes = openai_sizes({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    assert sizes["vision_cfg"] == dict(image_size=224, patch_size=32, width=768, layers=12, head_width=64)
    assert sizes["text_cfg"] == dict(context_length=77, vocab_size=49408, width=512, heads=8, layers=12)
