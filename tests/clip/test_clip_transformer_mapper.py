"""The thesis' mappers: wrong as written, right as mended."""

import pytest
import torch
from torch.testing import assert_close

from iplkit.clip.mapper import PromptMapper, save_mapper
from iplkit.clip.transformer_mapper import DESIGNS, TransformerMapper, load_transformer_mapper
from iplkit.errors import UserError

SIZES = dict(width=24, n_ctx=3, w_dim=32)
MENDED = ("alone", "slots")


def make(design="v3", layout="alone", **options):
    return TransformerMapper(design, layout, **SIZES | options).eval()


@pytest.fixture
def w(generator):
    return torch.randn(6, 32, generator=generator)


@pytest.mark.parametrize("design", DESIGNS)
def test_as_written_a_prompt_changes_with_its_batch_mates(design, w):
    mapper = make(design, "batch")
    together, pair, alone = mapper(w), mapper(w[:2]), mapper(w[:1])
    spread = together.std(dim=0).mean()
    assert (together[:2] - pair).abs().max() > 0.1 * spread
    assert (together[:1] - alone).abs().max() > 0.1 * spread
    others = torch.cat([w[:1], w[1:].flip(1)])  # the same image among strangers
    assert (mapper(others)[0] - together[0]).abs().max() > 0.1 * spread


@pytest.mark.parametrize("layout", MENDED)
@pytest.mark.parametrize("design", DESIGNS)
def test_mended_a_prompt_is_its_own_images_alone(design, layout, w):
    mapper = make(design, layout)
    together = mapper(w)
    assert together.shape == (6, 3, 24)
    assert_close(mapper(w[:1]), together[:1], atol=1e-5, rtol=1e-5)
    assert_close(mapper(w.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("design", DESIGNS)
def test_a_batch_of_one_is_where_both_readings_agree(design, w):
    written, mended = make(design, "batch"), make(design, "alone")
    mended.load_state_dict(written.state_dict())
    assert_close(written(w[:1]), mended(w[:1]), atol=1e-5, rtol=1e-5)


def test_vectors_of_one_image_see_each_other_in_slots(w):
    mapper = make(layout="slots")
    before = mapper(w)
    mapper.slots.data[2] *= -1
    assert ((mapper(w) - before)[:, 0].abs().amax(dim=-1) > 1e-4).all()


def test_the_designs_are_the_thesis_ones():
    def linear(design):
        mapper = TransformerMapper(design, "batch")
        return len(mapper.mapping[0].layers), mapper.mapping[0].layers[0].self_attn.num_heads, [m.weight.shape[0] for m in mapper.mapping[1:]]

    assert linear("v1") == (3, 2, [2048])
    assert linear("v2") == (2, 4, [1024, 2048])
    assert linear("v3") == (2, 2, [512, 2048])


def test_the_first_version_forgot_the_length_of_w(w):
    with_norm, without = make("v1", "batch", pixel_norm=True), make("v1", "batch")
    assert_close(with_norm(3 * w), with_norm(w), atol=1e-5, rtol=1e-5)
    assert (without(3 * w) - without(w)).abs().max() > 1e-3


def test_a_token_alone_forgets_the_length_of_w_by_itself(w):
    mapper = make("v1", "alone")  # attention on one token is linear, and the layer norm behind it divides by the length
    assert_close(mapper(3 * w), mapper(w), atol=1e-4, rtol=1e-4)


def test_one_seed_gives_one_mapper_and_leaves_global_randomness_alone():
    before = torch.get_rng_state()
    one, same, other = (make(seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["mapping.0.layers.0.linear1.weight"], other["mapping.0.layers.0.linear1.weight"])


@pytest.mark.parametrize("outer", ["", "mapping."])
def test_a_file_of_the_thesis_loads_with_every_tensor_named_twice(tmp_path, w, outer):
    mapper, twice = make("v3", "batch"), {}
    for name, tensor in mapper.state_dict().items():
        part, rest = name.removeprefix("mapping.").split(".", 1)
        alias = {"0": "transformer_encoder", "1": "linear", "2": "final_linear"}[part]
        twice |= {f"{outer}{name}": tensor, f"{outer}{alias}.{rest}": tensor}
    torch.save({"m": twice, "m_optim": {}}, tmp_path / "mapper.pt")
    loaded = load_transformer_mapper(tmp_path / "mapper.pt", 24, "v3", "batch", n_ctx=3, w_dim=32)
    assert_close(loaded(w), mapper(w))


@pytest.mark.parametrize("layout", MENDED)
def test_ours_comes_back_from_its_file(tmp_path, w, layout):
    mapper = make("v2", layout, last_activation=False)
    mapper.made_for = {"generator": "aaaa"}
    save_mapper(tmp_path / "mapper.pt", mapper)
    loaded = load_transformer_mapper(tmp_path / "mapper.pt", 24, "v2", layout, n_ctx=3, w_dim=32, made_for={"generator": "aaaa"})
    assert_close(loaded(w), mapper(w))
    assert loaded.made_for == mapper.made_for


def test_what_does_not_fit_is_refused(tmp_path):
    path, sizes = tmp_path / "mapper.pt", dict(width=24, design="v3", n_ctx=3, w_dim=32)
    mapper = make("v3", "batch")
    mapper.made_for = {"generator": "aaaa"}
    save_mapper(path, mapper)
    for change, message in [
        (dict(n_ctx=4), r"shape \(96, 512\) for 4 vectors of width 24; it has \(72, 512\)"),
        (dict(width=25), r"for 3 vectors of width 25"),
        (dict(w_dim=64), "do not fit"),
        (dict(design="v1"), "last layer"),
        (dict(layout="slots"), r"shape \(24, 512\)"),
        (dict(made_for={"generator": "bbbb"}), "trained with the generator 'bbbb'"),
    ]:
        with pytest.raises(UserError, match=message):
            load_transformer_mapper(path, **sizes | change)
    save_mapper(path, PromptMapper(24, 3, 32))
    with pytest.raises(UserError, match="last layer"):
        load_transformer_mapper(path, **sizes)


def test_unknown_names_and_sizes_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match="design must be one of"):
        make("v4")
    with pytest.raises(UserError, match="layout must be one of"):
        make(layout="both")
    with pytest.raises(UserError, match="multiple of the 4 heads"):
        make("v2", w_dim=30)
    with pytest.raises(UserError, match=r"\[N, 32\]"):
        make()(torch.zeros(2, 31))
