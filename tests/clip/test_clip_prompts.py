"""Fixed and learned prompts: templates, sentences with holes, and the mapper that fills them."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.clip.mapper import PromptMapper, load_mapper, save_mapper
from iplkit.clip.prompts import TEMPLATES, PromptContext, learned_text_features, learned_text_pair, template_anchor, template_features
from iplkit.clip.text import encode_prompt_slow, eot_position
from iplkit.errors import UserError


@pytest.fixture(scope="module")
def context(tiny_clip):
    return PromptContext(tiny_clip, "a photo of a", 4, "photo", "anime painting")


# -- templates -----------------------------------------------------------------------------------


def test_there_are_79_distinct_templates_in_clips_order():
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 79
    assert TEMPLATES[0] == "a bad photo of a {}." and TEMPLATES[-1] == "a tattoo of the {}."
    assert "a photo of many {}." not in TEMPLATES
    assert all(t.count("{}") == 1 for t in TEMPLATES)


def test_template_features_are_one_unit_vector_per_sentence(tiny_clip):
    features = template_features(tiny_clip, "dog", TEMPLATES[:3])
    for row, template in zip(features, TEMPLATES):
        alone = tiny_clip.encode_text(tiny_clip.tokenize([template.format("dog")]))[0]
        assert_close(row, alone / alone.norm(), atol=1e-5, rtol=1e-5)


def test_the_anchor_is_the_mean_and_stays_shorter_than_one(tiny_clip):
    anchor = template_anchor(tiny_clip, "dog", TEMPLATES[:5])
    assert_close(anchor[0], template_features(tiny_clip, "dog", TEMPLATES[:5]).mean(0))
    assert anchor.norm() < 1


def test_a_template_that_would_lose_the_class_is_refused(tiny_clip):
    with pytest.raises(UserError, match="class word"):
        template_features(tiny_clip, "dog", ["a photo of a"])


# -- context -------------------------------------------------------------------------------------


def test_the_own_words_in_the_holes_give_encode_text_of_the_sentence(tiny_clip, context):
    for side in ("source", "target"):
        ids = tiny_clip.tokenize([context.sentence(side)])
        prompts = tiny_clip.token_embedding(ids)[:, 1:5]
        got = learned_text_features(tiny_clip, prompts, context, side)
        assert_close(got, tiny_clip.model.encode_text(ids), atol=1e-5, rtol=1e-5)


def test_sentences_have_no_full_stop_unless_asked(context):
    assert context.sentence("source") == "a photo of a photo"
    assert context.sentence("target", full_stop=True) == "a photo of a anime painting."


def test_prompts_stand_between_start_and_class_word(context, generator):
    prompts = torch.randn(3, 4, 64, generator=generator)
    embeds, ids = context.assemble(prompts, "target")
    assert embeds.shape == (3, 77, 64) and ids.shape == (1, 77)
    assert_close(embeds[:, 1:5], prompts)
    assert int(eot_position(ids)) == 7  # SOT, four vectors, "anime", "painting", EOT


def test_gradients_reach_the_prompts_and_not_clip(tiny_clip, context, generator):
    prompts = torch.randn(2, 4, 64, generator=generator).requires_grad_()
    learned_text_features(tiny_clip, prompts, context).square().sum().backward()
    assert (prompts.grad.norm(dim=-1) > 0).all()
    assert all(p.grad is None for p in tiny_clip.parameters())


def test_the_words_that_are_replaced_do_not_matter(tiny_clip, generator):
    prompts = torch.randn(2, 4, 64, generator=generator)
    features = [
        learned_text_features(tiny_clip, prompts, PromptContext(tiny_clip, init, 4, "photo", "disney"))
        for init in ("a photo of a", "a_photo_of_a", "")
    ]
    assert_close(features[0], features[1])
    assert_close(features[0], features[2])


def test_n_ctx_comes_from_the_words_if_not_given(tiny_clip):
    assert PromptContext(tiny_clip, "a picture of", None).n_ctx == 3


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(ctx_init="a photo of a", n_ctx=8), "number of words"),
        (dict(ctx_init="a xylographic of a"), "one token each"),
        (dict(ctx_init="", n_ctx=None), "needs n_ctx"),
        (dict(n_ctx=0), "at least 1"),
        (dict(target=" "), "class word"),
        (dict(target=None), "class word; got None"),
        (dict(ctx_init=4, n_ctx=None), "needs to be a text"),
        (dict(source="dog " * 72), "at most 75 tokens"),
        (dict(ctx_init="", n_ctx=75), "at most 75 tokens"),
    ],
)
def test_counts_and_words_that_disagree_are_refused(tiny_clip, options, message):
    with pytest.raises(UserError, match=message):
        PromptContext(tiny_clip, **options)


def test_a_compact_clip_an_unknown_side_and_a_wrong_width_are_refused(compact_clip, context):
    with pytest.raises(UserError, match="compact"):
        PromptContext(compact_clip)
    with pytest.raises(UserError, match="'source' or 'target'"):
        context.assemble(torch.zeros(1, 4, 64), "both")
    with pytest.raises(UserError, match=r"\[N, 4, 64\]"):
        context.assemble(torch.zeros(1, 4, 63))


@pytest.mark.parametrize("word", ["", "  ", "!", None, 7])
def test_a_template_without_a_class_word_is_refused(tiny_clip, word):
    with pytest.raises(UserError, match="class word"):
        template_features(tiny_clip, word, TEMPLATES[:2])


def test_learned_sentences_batched_and_cut_equal_the_loop_over_77_rows(tiny_clip, generator):
    context = PromptContext(tiny_clip, "a photo of a", 4, "photo", "tolkien elf in the style of ukiyo-e")
    prompts = torch.randn(5, 4, 64, generator=generator).requires_grad_()
    weight = torch.randn(24, generator=generator)
    for which in ("source", "target"):
        fast, slow = learned_text_features(tiny_clip, prompts, context, which), encode_prompt_slow(tiny_clip, *context.assemble(prompts, which))
        assert_close(fast, slow, atol=1e-5, rtol=1e-5)
        gradients = [torch.autograd.grad((features @ weight).sum(), prompts)[0] for features in (fast, slow)]
        assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("source", "target"), [("photo", "disney"), ("human", "tolkien elf in the style of ukiyo-e"), ("anime painting", "photo")])
def test_both_learned_sentences_in_one_call_equal_the_loop_over_77_rows(tiny_clip, generator, source, target):
    context = PromptContext(tiny_clip, "a photo of a", 4, source, target)
    prompts = torch.randn(5, 4, 64, generator=generator).requires_grad_()
    weight = torch.randn(2, 24, generator=generator)
    pair = learned_text_pair(tiny_clip, prompts, context)
    slow = [encode_prompt_slow(tiny_clip, *context.assemble(prompts, which)) for which in ("source", "target")]
    assert_close(list(pair), slow, atol=1e-5, rtol=1e-5)
    one, other = (torch.autograd.grad((torch.stack(tuple(f)) * weight[:, None]).sum(), prompts)[0] for f in (pair, slow))
    assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_one_sentence_of_a_pair_does_not_see_the_other(tiny_clip, generator):
    prompts = torch.randn(2, 4, 64, generator=generator)
    pairs = [learned_text_pair(tiny_clip, prompts, PromptContext(tiny_clip, "a photo of a", 4, "photo", word)) for word in ("disney", "wolf")]
    assert torch.equal(pairs[0][0], pairs[1][0]) and not torch.allclose(pairs[0][1], pairs[1][1])


def test_prompts_of_a_wrong_shape_are_refused_by_the_pair_too(tiny_clip, context):
    with pytest.raises(UserError, match=r"shape \[N, 4, 64\]"):
        learned_text_pair(tiny_clip, torch.zeros(2, 3, 64), context)


# -- mapper --------------------------------------------------------------------------------------


def slow_mapper(mapper, w):
    """The published formula, one layer after the other, on one code."""
    x = w / (w.pow(2).mean() + 1e-8).sqrt()
    weights = mapper.state_dict()
    for i in (1, 2, 3, 4):
        weight, bias = weights[f"mapping.mapping.{i}.weight"], weights[f"mapping.mapping.{i}.bias"]
        x = (weight * 0.01 / weight.shape[1] ** 0.5) @ x + bias * 0.01
        if i < 4 or mapper.last_activation:
            x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    return x.view(mapper.n_ctx, mapper.width)


@pytest.mark.parametrize("last_activation", [True, False])
def test_the_mapper_is_its_formula_one_code_at_a_time(generator, last_activation):
    mapper = PromptMapper(24, 3, 32, last_activation=last_activation)
    for i in (1, 2, 3, 4):
        torch.nn.init.normal_(mapper.get_parameter(f"mapping.mapping.{i}.bias"), std=30, generator=generator)
    w = torch.randn(5, 32, generator=generator)
    want = torch.stack([slow_mapper(mapper, row) for row in w])
    assert_close(mapper(w), want, atol=1e-5, rtol=1e-5)


def test_the_published_size_has_1838592_parameters():
    assert sum(p.numel() for p in PromptMapper(512, 4).parameters()) == 1_838_592


def test_published_prompts_lean_to_the_positive_side(generator):
    w = torch.randn(200, 512, generator=generator)
    quirk, linear = (PromptMapper(8, 4, last_activation=last)(w) for last in (True, False))
    assert quirk.mean() > 0.3 * quirk.std()
    assert linear.mean().abs() < 0.3 * linear.std()


def test_one_seed_gives_one_mapper():
    one, same, other = (PromptMapper(8, 4, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["mapping.mapping.1.weight"], other["mapping.mapping.1.weight"])


def test_a_mapper_comes_back_from_its_file(tmp_path, generator):
    mapper, w = PromptMapper(24, 3, 32, last_activation=False, seed=5), torch.randn(2, 32, generator=generator)
    save_mapper(tmp_path / "mapper.pt", mapper, torch.optim.Adam(mapper.parameters()))
    loaded = load_mapper(tmp_path / "mapper.pt", width=24)
    assert loaded.n_ctx == 3 and not loaded.last_activation
    assert_close(loaded(w), mapper(w))


def test_the_same_mapper_is_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_mapper(tmp_path / f"{name}.pt", PromptMapper(24, 3, 32, seed=5))
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()


def test_a_published_file_loads_with_the_published_quirk(tmp_path):
    names = [f"mapping.mapping.{i}.{kind}" for i in (1, 2, 3, 4) for kind in ("weight", "bias")]
    weights = {name: torch.ones(512, 512) if name.endswith("weight") else torch.zeros(512) for name in names}
    torch.save({"m": weights, "m_optim": {"state": {}, "param_groups": []}}, tmp_path / "mapper.pt")
    loaded = load_mapper(tmp_path / "mapper.pt", width=128)
    assert loaded.n_ctx == 4 and loaded.last_activation
    assert list(loaded.state_dict()) == names


def test_files_that_are_no_mapper_are_refused(tmp_path):
    (tmp_path / "page.pt").write_text("<!DOCTYPE html>")
    torch.save({"g_ema": {}}, tmp_path / "generator.pt")
    save_mapper(tmp_path / "mapper.pt", PromptMapper(24, 3, 32))
    for name, message in [("page", "html"), ("generator", "under 'm'"), ("mapper", "multiple of the text width 50")]:
        with pytest.raises(UserError, match=message):
            load_mapper(tmp_path / f"{name}.pt", width=50)


def test_a_mapper_of_another_context_code_or_model_is_refused(tmp_path):
    mapper, path = PromptMapper(24, 3, 32), tmp_path / "mapper.pt"
    mapper.made_for = {"generator": "aaaa", "target": "disney"}
    save_mapper(path, mapper)
    good = dict(width=24, n_ctx=3, w_dim=32, made_for={"generator": "aaaa", "clip": "never recorded"})
    assert load_mapper(path, **good).made_for == mapper.made_for
    for change, message in [
        (dict(n_ctx=4), "writes 4 vectors, as the context has; it writes 3"),
        (dict(width=36), "writes 3 vectors, as the context has; it writes 2"),
        (dict(w_dim=512), "with 512 channels; its codes have 32"),
        (dict(made_for={"generator": "bbbb"}), "trained with the generator 'bbbb'; it was trained with 'aaaa'"),
        (dict(made_for={"target": "werewolf"}), "target 'werewolf'"),
    ]:
        with pytest.raises(UserError, match=message):
            load_mapper(path, **good | change)


def test_a_file_with_layers_missing_is_refused(tmp_path):
    weights = PromptMapper(24, 3, 32).state_dict()
    for name, message in [("mapping.mapping.4.weight", "last layer is missing"), ("mapping.mapping.1.bias", "do not fit")]:
        torch.save({"m": {k: v for k, v in weights.items() if k != name}}, tmp_path / "mapper.pt")
        with pytest.raises(UserError, match=message):
            load_mapper(tmp_path / "mapper.pt", width=24)


def test_codes_of_another_width_are_refused():
    with pytest.raises(UserError, match=r"\[N, 32\]"):
        PromptMapper(24, 3, 32)(torch.zeros(2, 31))
