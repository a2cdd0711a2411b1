"""What the text tower reads, and where the answer is read out."""

import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch.testing import assert_close

from iplkit.clip.text import (
    EOT_ID,
    SOT_ID,
    compact_ids,
    encode_branches,
    encode_prompt,
    encode_prompt_slow,
    eot_position,
    to_compact,
    tokenize,
    words_of,
)
from iplkit.errors import UserError

A, PHOTO, OF, DISNEY = 320, 1125, 539, 4696
TEXTS = ["a photo", "a photo of a dog in the style of Botero", "X X X X ukiyo-e"]


def test_tokens_are_clips_own():
    assert_close(tokenize(TEXTS), SimpleTokenizer()(TEXTS))


def test_case_does_not_matter():
    assert_close(tokenize(["A Photo"]), tokenize(["a photo"]))


def test_the_two_sentences_of_the_paper_are_these_tokens():
    ids = tokenize(["a photo of a photo", "a photo of a disney"])
    assert ids.shape == (2, 77) and ids.dtype == torch.int64
    assert ids[0].tolist() == [SOT_ID, A, PHOTO, OF, A, PHOTO, EOT_ID] + 70 * [0]
    assert ids[1].tolist() == [SOT_ID, A, PHOTO, OF, A, DISNEY, EOT_ID] + 70 * [0]
    assert (SOT_ID, EOT_ID) == (49406, 49407) and eot_position(ids).tolist() == [6, 6]


@pytest.mark.parametrize(
    "texts, message",
    [(["a photo", " \n"], "at least one word"), ([b"a photo"], "type bytes"), ([None], "type NoneType"), ([3], "type int")],
)
def test_what_is_no_text_is_refused(texts, message):
    with pytest.raises(UserError, match=message):
        tokenize(texts)


@pytest.mark.parametrize(
    "texts, message",
    [("a photo", "list"), (["dog " * 76], "at most 75"), (["a <end_of_text> b"], "start and end marks")],
)
def test_a_text_that_cannot_be_a_row_is_refused(texts, message):
    with pytest.raises(UserError, match=message):
        tokenize(texts)


def test_a_text_that_just_fits_ends_in_the_last_place():
    assert eot_position(tokenize(["dog " * 75])).tolist() == [76]


def test_words_are_runs_of_letters_and_digits():
    assert words_of("A photo of 2 Ukiyo-e.") == ["a", "photo", "of", "2", "ukiyo", "e"]


def test_compact_ids_are_sorted_and_end_in_eot():
    ids = compact_ids(TEXTS).tolist()
    assert ids == sorted(set(ids))
    assert ids[0] == 0 and ids[-2:] == [SOT_ID, EOT_ID]


def test_compact_rows_look_up_to_the_same_ids():
    table, ids = compact_ids(TEXTS), tokenize(TEXTS)
    rows = to_compact(ids, table)
    assert_close(table[rows], ids)
    assert_close(to_compact(ids, table.tolist()), rows)
    assert_close(eot_position(rows, len(table) - 1), eot_position(ids))


def test_an_id_without_a_row_is_refused():
    with pytest.raises(UserError, match="none"):
        to_compact(tokenize(["zebra"]), compact_ids(TEXTS))


def test_the_first_eot_is_the_end():
    assert eot_position(torch.tensor([[SOT_ID, 320, EOT_ID, EOT_ID, EOT_ID]])).tolist() == [2]


@pytest.mark.parametrize("rows", [[[SOT_ID, 320, 0]], [[SOT_ID, EOT_ID, EOT_ID + 1]], [[SOT_ID, EOT_ID, 0], [1, 2, 3]]])
def test_rows_without_a_clear_end_are_refused(rows):
    with pytest.raises(UserError, match="49407"):
        eot_position(torch.tensor(rows))


@pytest.mark.parametrize("encode", [encode_prompt, encode_prompt_slow])
def test_plain_vectors_give_encode_text_of_open_clip(tiny_clip, encode):
    ids = tokenize(TEXTS)
    want = tiny_clip.model.encode_text(ids)
    for clip in (tiny_clip, tiny_clip.model):
        assert_close(encode(clip, clip.token_embedding(ids), ids), want, atol=1e-5, rtol=1e-5)


def test_batched_and_cut_equals_one_by_one_on_all_rows(tiny_clip, generator):
    ids, embeds = tokenize(["X X X X disney"]), torch.randn(5, 77, 64, generator=generator)
    got, want = encode_prompt(tiny_clip, embeds, ids), encode_prompt_slow(tiny_clip, embeds, ids)
    assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_gradients_equal_those_of_the_slow_definition(tiny_clip, generator):
    ids = tokenize(TEXTS)
    embeds = torch.randn(3, 77, 64, generator=generator).requires_grad_()
    weight = torch.randn(24, generator=generator)
    grads = [
        torch.autograd.grad((encode(tiny_clip, embeds, ids) @ weight).sum(), embeds)[0]
        for encode in (encode_prompt, encode_prompt_slow)
    ]
    assert_close(*grads, atol=1e-5, rtol=1e-4)


def test_everything_up_to_eot_is_read_and_nothing_behind_it(tiny_clip, generator):
    ids = tokenize(["X X X X disney"])
    embeds = torch.randn(2, 77, 64, generator=generator).requires_grad_()
    encode_prompt(tiny_clip, embeds, ids).square().sum().backward()
    read = embeds.grad.norm(dim=-1) > 0
    eot = int(eot_position(ids))
    assert read[:, : eot + 1].all() and not read[:, eot + 1 :].any()


def test_ids_of_another_shape_are_refused(tiny_clip):
    with pytest.raises(UserError, match=r"ids \[3 or 1, 77\]"):
        encode_prompt(tiny_clip, torch.zeros(3, 77, 64), tokenize(["a", "b"]))


def test_branches_of_three_lengths_equal_each_sentence_alone(tiny_clip, generator):
    start, stem = torch.randn(1, 2, 64, generator=generator), torch.randn(2, 1, 64, generator=generator)
    branches = [torch.randn(n, length, 64, generator=generator) for n, length in ((2, 4), (1, 1), (1, 74))]
    ids = lambda length: torch.tensor([[49406] + [1] * (length - 2) + [49407]])  # noqa: E731
    for got, branch in zip(encode_branches(tiny_clip, start, stem, branches), branches):
        whole = torch.cat([start.expand(2, -1, -1), stem, branch.expand(2, -1, -1)], dim=1)
        assert_close(got, encode_prompt(tiny_clip, whole, ids(whole.shape[1])), atol=1e-5, rtol=1e-5)


def test_a_branch_that_does_not_fit_is_refused(tiny_clip):
    with pytest.raises(UserError, match="at most 77 rows; got 78"):
        encode_branches(tiny_clip, torch.zeros(1, 1, 64), torch.zeros(1, 2, 64), [torch.zeros(1, 75, 64)])
