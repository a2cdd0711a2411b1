import pytest
import torch

from iplkit.clip.prompts import TEMPLATES
from iplkit.clip.text import compact_ids, words_of
from iplkit.errors import UserError
from iplkit.world.captions import (
    CLASSES,
    KEPT_TEMPLATES,
    TRAIN_TEMPLATES,
    WORLD_TEMPLATES,
    ZERO_SHOT,
    Caption,
    agreement,
    all_texts,
    bare_captions,
    caption,
    captions,
    domain_words,
    draw_captions,
    vocabulary,
)
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.factors import NAMES, index, sample_factors
from iplkit.world.predicates import PREDICATE_NAMES, predicate_index, shown, truth
from iplkit.world.words import MEDIA

ISSUE_WORDS = (
    "head face person human boy girl man woman young old happy sad angry long short curly straight black brown golden red grey "
    "bald beard glasses pale dark photo disney anime painting wall ukiyo e pixar character tolkien elf werewolf cartoon "
    "pointillism cubism sketch zombie statue hair"
).split()


def person(**values) -> torch.Tensor:
    factors = torch.full((1, len(NAMES)), 0.5)
    for name, value in values.items():
        factors[0, index(name)] = value
    return factors


def one_hot(*names: str) -> torch.Tensor:
    return torch.stack([torch.tensor([float(c == name) for c in CLASSES]) for name in names])


def test_every_word_the_book_needs_is_known():
    assert set(ISSUE_WORDS) <= set(vocabulary())


def test_the_templates_are_sixty_less_those_that_name_a_domain_and_nineteen_kept():
    named = [t for t in TEMPLATES if any(word in t for word in MEDIA)]
    assert len(KEPT_TEMPLATES) == 19 and len(TRAIN_TEMPLATES) == 60 - len(named) == 28
    assert not set(KEPT_TEMPLATES) & set(TRAIN_TEMPLATES)
    assert set(WORLD_TEMPLATES) | set(named) == set(TEMPLATES)


def test_kept_templates_and_zero_shot_questions_use_known_words_only():
    phrases = [p for answers in ZERO_SHOT.values() for p in answers]
    words = {w for t in KEPT_TEMPLATES for p in phrases for w in words_of(t.format(p))}
    assert words <= set(vocabulary())


def test_all_texts_hold_every_token_a_caption_can_use(generator):
    factors = sample_factors(400, generator)
    made = captions(factors, [CLASSES[k % len(CLASSES)] for k in range(400)], generator)
    known = set(compact_ids(all_texts()).tolist())
    assert set(compact_ids(made).tolist()) <= known
    assert {w for text in made for w in words_of(text)} <= set(vocabulary())


def test_a_caption_claims_only_what_is_true_and_shown(generator):
    factors = sample_factors(500, generator)
    said, names = truth(factors), [CLASSES[k % len(CLASSES)] for k in range(500)]
    for row, claim in zip(said, draw_captions(said, names, generator)):
        for need in claim.needs:
            k = predicate_index(need)
            assert row[k] == 1 and shown(claim.name)[k]


def test_the_same_seed_gives_the_same_sentence():
    factors = sample_factors(1, torch.Generator().manual_seed(3))[0]
    texts = {caption(factors, "sketch", torch.Generator().manual_seed(5)) for _ in range(3)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    "statement, factors, want",
    [
        ("happy", dict(smile=0.9), 1),
        ("happy", dict(smile=0.3), 0),
        ("golden", dict(hair_color=0.7, hair_length=0.5), 1),
        ("golden", dict(hair_color=0.1, hair_length=0.5), 0),
        ("golden", dict(hair_color=0.7, hair_length=0.02), 0),
        ("boy", dict(femininity=0.1, age=0.1), 1),
        ("boy", dict(femininity=0.1, age=0.8), 0),
        ("glasses", dict(glasses=0.9), 1),
        ("no glasses", dict(glasses=0.9), 0),
        ("bald", dict(hair_length=0.02), 1),
    ],
)
def test_a_statement_is_true_or_false_where_the_picture_is_clear(statement, factors, want):
    assert truth(person(**factors))[0, predicate_index(statement)] == want


def test_nothing_is_said_between_yes_and_no():
    assert truth(person(glasses=0.65))[0, predicate_index("glasses")].isnan()
    assert truth(person(smile=0.6))[0, predicate_index("happy")].isnan()


def test_a_caption_is_as_true_of_a_blend_as_its_share():
    said = truth(person(glasses=0.9).repeat(2, 1))
    shares = 0.25 * one_hot("photo", "photo") + 0.75 * one_hot("sketch", "sketch")
    weight, unsure = agreement(said, shares, [Caption("", "photo"), Caption("", "sketch", ("glasses",)), Caption("", "zombie")])
    assert weight.tolist() == [[0.25, 0.75, 0.0]] * 2
    assert not bool(unsure.any())


def test_a_false_word_makes_a_caption_untrue_and_a_doubtful_one_withholds_judgment():
    said = truth(torch.cat([person(glasses=0.9), person(glasses=0.1), person(glasses=0.65)]))
    weight, unsure = agreement(said, one_hot("photo", "photo", "photo"), [Caption("", "photo", ("glasses",))])
    assert weight.flatten().tolist() == [1, 0, 0]
    assert unsure.flatten().tolist() == [False, False, True]


def test_hair_color_is_neither_true_nor_false_of_a_statue():
    said = truth(person(hair_color=0.1, hair_length=0.9))
    weight, unsure = agreement(said, one_hot("statue"), [Caption("", "statue", ("golden",))])
    assert weight.item() == 0 and bool(unsure)
    assert not bool(agreement(said, one_hot("photo"), [Caption("", "statue", ("golden",))])[1])


def test_bare_captions_name_every_domain_and_nothing_else(generator):
    made = bare_captions(generator)
    assert [c.name for c in made] == list(DOMAINS) and not any(c.needs for c in made)


def test_a_blend_is_named_as_often_as_its_shares_say(generator):
    factors = sample_factors(1, generator)[0]
    made = [caption(factors, "zombie", generator, share=0.25, other="photo") for _ in range(400)]
    share = sum(any(word in text for word in ("zombie", "undead")) for text in made) / 400
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / 400) ** 0.5


def test_a_domain_has_several_phrasings():
    assert all(len(domain_words(d)) >= 2 for d in DOMAINS)
    assert len(PREDICATE_NAMES) == len(set(PREDICATE_NAMES))


@pytest.mark.parametrize("call", [lambda g, f: caption(f, "sketsch", g), lambda g, f: domain_words("x"), lambda g, f: caption(f, "photo", g, share=0.5)])
def test_what_does_not_exist_is_refused(call, generator):
    with pytest.raises(UserError):
        call(generator, sample_factors(1, generator)[0])
