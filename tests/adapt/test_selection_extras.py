"""Selection beside the vote, and the promises of the vote: k, tables, micro-batches, memory."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.selectors import adaptive_layers, make_selector, row_scores
from iplkit.errors import UserError


def voters(tiny_generator, generator, count):
    return tiny_generator.mapping(torch.randn(count, 32, generator=generator))


class Held:
    """What autograd keeps for a backward pass, in bytes: now, and at most."""

    def __init__(self, but):
        self.now = self.most = 0
        self.but = {p.untyped_storage().data_ptr() for p in but}

    def __enter__(self):
        self.hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: Kept(self, t), lambda kept: kept.tensor)
        self.hooks.__enter__()
        return self

    def __exit__(self, *error):
        self.hooks.__exit__(*error)


class Kept:
    def __init__(self, held, tensor):
        weight = tensor.untyped_storage().data_ptr() in held.but
        self.held, self.tensor, self.bytes = held, tensor, 0 if weight else tensor.numel() * tensor.element_size()
        held.now += self.bytes
        held.most = max(held.most, held.now)

    def __del__(self):
        self.held.now -= self.bytes


def test_micro_batches_of_every_size_score_as_one_batch(tiny_generator, tiny_clip, generator):
    ws = voters(tiny_generator, generator, 8)
    text = tiny_clip.encode_text(tiny_clip.tokenize(["sketch"]))
    whole = row_scores(tiny_generator, tiny_clip, text, ws, 8)
    for size in (1, 3, 4):
        assert_close(row_scores(tiny_generator, tiny_clip, text, ws, size), whole, atol=1e-6, rtol=1e-4)
    assert whole.min() > 0


def test_the_memory_of_a_vote_is_that_of_one_micro_batch(tiny_generator, tiny_clip, generator):
    ws = voters(tiny_generator, generator, 8)
    text = tiny_clip.encode_text(tiny_clip.tokenize(["sketch"]))

    def most(micro_batch, count):
        with Held((*tiny_generator.parameters(), *tiny_clip.parameters())) as held:
            row_scores(tiny_generator, tiny_clip, text, ws[:count], micro_batch)
        assert held.now == 0
        return held.most

    assert most(2, 8) == most(2, 2)  # more voters cost nothing
    image = most(2, 2) - most(1, 1)  # the rest are scaled weights, and does not grow with the batch
    fixed = most(2, 2) - 2 * image
    assert most(2, 8) - fixed <= (most(8, 8) - fixed) / 4


def test_k_can_be_said_as_a_number_and_all_rows_need_no_vote(tiny_generator, tiny_clip, monkeypatch):
    choose = lambda k: adaptive_layers(tiny_clip, "sketch", AdaptSettings(rows_k=k), seed=0).choose(tiny_generator, 0)  # noqa: E731
    assert [len(choose(k)) for k in (1, 5)] == [1, 5]
    monkeypatch.setattr("iplkit.adapt.selectors.row_scores", lambda *args: 1 / 0)
    assert choose(6) == tuple(range(6))


def test_more_rows_than_there_are_are_refused_before_anything_runs(tiny_generator, tiny_clip, short):
    with pytest.raises(UserError, match="rows_k must be at most the generator's 6 rows of W[+]; got 7"):
        adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", replace(short, rows_k=7), progress=False)


def test_a_timetable_moves_the_rows_of_its_phase(tiny_generator, tiny_clip, short):
    settings = replace(short, selector="manual", schedule=((0, (4, 5)), (2, (0, 1))))
    log = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", settings, progress=False).log
    assert [row["rows"] for row in log] == [[4, 5], [4, 5], [0, 1], [0, 1]]


def test_an_oracle_moves_its_rows_and_nothing_else(tiny_generator, tiny_clip, short):
    settings = replace(short, selector="oracle", rows=(3, 1))
    result = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", settings, progress=False)
    assert [row["rows"] for row in result.log] == [[1, 3]] * 4
    mine = [f"synthesis.layers.{name}." for name, row in tiny_generator.synthesis.rows.items() if row in (1, 3)]
    for (name, new), old in zip(result.generator.named_parameters(), tiny_generator.parameters(), strict=True):
        assert torch.equal(new, old) or any(name.startswith(layer) for layer in mine), name
    moved = [torch.equal(n, o) for n, o in zip(result.generator.parameters(), tiny_generator.parameters(), strict=True)]
    assert not all(moved)


def test_every_selector_obeys_the_published_table_as_a_quirk(tiny_generator, tiny_clip):
    for change in ({"selector": "oracle", "rows": (4,)}, {"selector": "manual", "schedule": ((0, (4,)),)}, {"rows_k": 1}):
        true, wrong = (
            make_selector(tiny_clip, "sketch", AdaptSettings(**change, quirks=q), 0).parameters(tiny_generator, (4,))
            for q in ((), ("selection_off_by_one",))
        )
        assert {id(p) for p in true} == {id(p) for p in tiny_generator.synthesis.layers["conv16"].parameters() if p.shape} | {
            id(p) for p in true if not p.shape
        }
        assert not {id(p) for p in true} & {id(p) for p in wrong}


def test_the_bare_word_scores_otherwise_than_the_sentence(tiny_generator, tiny_clip, monkeypatch):
    seen = []
    monkeypatch.setattr("iplkit.adapt.selectors.row_scores", lambda g, clip, text, *rest: seen.append(text) or torch.rand(6, generator=torch.Generator()))
    for quirks in ((), ("selection_bare_word",)):
        adaptive_layers(tiny_clip, "sketch", AdaptSettings(quirks=quirks), seed=0).choose(tiny_generator, 0)
    sentence, word = (tiny_clip.encode_text(tiny_clip.tokenize([s])) for s in ("a photo of a sketch", "sketch"))
    assert torch.equal(seen[0], sentence) and torch.equal(seen[1], word) and not torch.equal(sentence, word)


def test_a_second_clip_votes_with_its_weight(tiny_generator, tiny_clip, generator):
    ws, word = voters(tiny_generator, generator, 4), lambda w: tiny_clip.encode_text(tiny_clip.tokenize([w]))
    score = lambda *args: row_scores(tiny_generator, tiny_clip, word("sketch"), ws, 2, *args)  # noqa: E731
    assert_close(score(1.0, [(tiny_clip, word("sketch"), 2.0)]), 3 * score(), atol=1e-6, rtol=1e-4)
    assert torch.equal(score(1.0, [(tiny_clip, word("statue"), 0.0)]), score())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"selector": "oracle"}, "rows must name different rows"),
        ({"rows": (1,)}, "rows must name different rows"),
        ({"selector": "oracle", "rows": (1, 1)}, "rows must name different rows"),
        ({"selector": "oracle", "rows": (-1,)}, "must not be negative"),
        ({"selector": "manual"}, "schedule must begin at step 0"),
        ({"selector": "manual", "schedule": ((1, (0,)),)}, "schedule must begin at step 0"),
        ({"selector": "manual", "schedule": ((0, ()),)}, "at least one row"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        AdaptSettings(**change)


def test_a_row_that_the_generator_lacks_is_refused(tiny_generator, tiny_clip, short):
    with pytest.raises(UserError, match="rows must lie in 0 to 5 for this generator; got .9."):
        adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", replace(short, selector="oracle", rows=(9,)), progress=False)


def test_new_settings_at_their_defaults_leave_old_records_as_they_were():
    assert "rows_k" not in AdaptSettings().record() and AdaptSettings(rows_k=3).record()["rows_k"] == 3
    settings = AdaptSettings(selector="manual", schedule=((0, (1, 2)), (5, (3,))), clip_weights=(1.0, 0.5))
    assert settings.record()["schedule"] == [[0, [1, 2]], [5, [3]]]
    assert AdaptSettings.from_record(settings.record()) == settings
