"""Captions that never lie: a small grammar whose every word has factors behind it.

A caption is a carrier sentence around a subject, "a photo of a X". The carrier says nothing: "a photo of a sketch" is
said of sketches. The subject names the domain and perhaps something of the person. Plain words for people ("a man with
glasses") mean the photo domain, as in the published experiments.

Axis letters: N pictures, M captions, P statements (see `predicates`), C classes (14 domains and 4 kinds of ruin).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.clip.text import words_of
from iplkit.errors import UserError
from iplkit.world.domains.catalog import DOMAINS, check_domain
from iplkit.world.predicates import PREDICATE_NAMES, PREDICATES, predicate_index, shown, truth
from iplkit.world.words import (
    ABSENCES,
    ADJECTIVES,
    ANYONE,
    ATTRIBUTES,
    CARRIER,
    DOMAIN_WORDS,
    HAIR_COLORS,
    HAIR_SHAPES,
    KEPT_TEMPLATES,
    NOUNS,
    RUINS,
    TRAIN_TEMPLATES,
    WORLD_TEMPLATES,
)

__all__ = ["CLASSES", "KEPT_TEMPLATES", "TRAIN_TEMPLATES", "WORLD_TEMPLATES", "ZERO_SHOT", "Caption", "agreement"]
__all__ += ["all_texts", "caption", "captions", "domain_words", "draw_caption", "vocabulary"]

CLASSES = DOMAINS + tuple(RUINS)  # what a caption can name
DRAWS = 24  # random numbers a caption may use

ZERO_SHOT = {
    "domain": {domain: domain for domain in DOMAINS},
    "glasses": {"face with glasses": "glasses", "face without glasses": "no glasses"},
    "beard": {"face with a beard": "beard", "face without a beard": "no beard"},
    "smile": {"happy face": "happy", "sad face": "sad"},
    "hair color": {f"face with {name} hair": name for name, _ in HAIR_COLORS},
    "hair length": {"bald head": "bald", "head with short hair": "short", "head with long hair": "long"},
}
"""Questions for a CLIP: phrase for a template -> the domain, or the statement that makes the phrase right. Portraits
of which no answer is surely right are left out. The attribute questions are about photos."""


@dataclass(frozen=True)
class Caption:
    """A sentence and what it claims."""

    text: str
    name: str  # one of CLASSES
    needs: tuple[str, ...] = ()  # statements that must be true


class Dice:
    """A finite row of random numbers, used up one by one."""

    def __init__(self, numbers: Sequence[float]):
        self.numbers = iter(numbers)

    def chance(self, share: float) -> bool:
        """True with probability `share`."""
        return next(self.numbers) < share

    def pick(self, items: Sequence):
        """One of the items, all equally likely."""
        return items[int(next(self.numbers) * len(items))]


def domain_words(domain: str) -> tuple[str, ...]:
    """Phrases that name a domain alone, the domain's own name first where it is a phrase of the grammar."""
    check_domain(domain)
    return DOMAIN_WORDS[domain].names


def _true_ones(phrases, true: set[str]) -> list:
    return [phrase for phrase in phrases if phrase[1] in true]


def _attribute(true: set[str], dice: Dice) -> tuple[str, tuple[str, ...]]:
    """A phrase with "with" or "without", and what it claims; empty if nothing can be said."""
    shapes, colors = _true_ones(HAIR_SHAPES, true), _true_ones(HAIR_COLORS, true)
    has, lacks = _true_ones(ATTRIBUTES, true), _true_ones(ABSENCES, true)
    if shapes and colors and dice.chance(0.25):
        (shape, a), (color, b) = dice.pick(shapes), dice.pick(colors)
        return f"with {shape} {color} hair", (a, b)
    if has and not (lacks and dice.chance(0.2)):
        phrase, need = dice.pick(has)
        return f"{'wearing' if phrase == 'glasses' and dice.chance(0.4) else 'with'} {phrase}", (need,)
    if lacks:
        phrase, need = dice.pick(lacks)
        return f"without {phrase}", (need,)
    return "", ()


def _person(true: set[str], dice: Dice, noun: str = "") -> tuple[str, tuple[str, ...]]:
    """A noun with perhaps an adjective and an attribute, and what it claims."""
    needs: tuple[str, ...] = ()
    if not noun:
        nouns = [word for word, need in NOUNS.items() if need in true]
        noun = dice.pick(nouns) if nouns and dice.chance(0.5) else dice.pick(ANYONE)
        needs += (NOUNS[noun],) if noun in NOUNS else ()
    adjectives = _true_ones(ADJECTIVES, true)
    if adjectives and dice.chance(0.4):
        word, need = dice.pick(adjectives)
        noun, needs = f"{word} {noun}", needs + (need,)
    if dice.chance(0.6):
        phrase, claimed = _attribute(true, dice)
        if phrase:
            noun, needs = f"{noun} {phrase}", needs + claimed
    return noun, tuple(dict.fromkeys(needs))


def _subject(name: str, true: set[str], dice: Dice) -> tuple[str, tuple[str, ...]]:
    if name in RUINS:
        return dice.pick(RUINS[name]), ()
    words = DOMAIN_WORDS[name]
    if dice.chance(0.35):
        return dice.pick(words.names), ()
    if name == "photo":
        return _photo_subject(true, dice)
    ways = [way for way in ("medium", "style", "creature") if getattr(words, way)]
    way, alone = dice.pick(ways), dice.chance(0.5)
    word = dice.pick(getattr(words, way))
    if way == "creature" and alone:
        return _person(true, dice, word)
    person, needs = _person(true, dice)
    if way == "medium":
        return f"{word} of a {person}", needs
    return (f"{person} in the style of {word}" if way == "style" else f"{person} as a {word}"), needs


def _photo_subject(true: set[str], dice: Dice) -> tuple[str, tuple[str, ...]]:
    if dice.chance(0.1):  # an attribute alone: "long hair"
        phrase, needs = _attribute(true, dice)
        if phrase.startswith("with "):
            return phrase.removeprefix("with "), needs
    person, needs = _person(true, dice)
    return (f"{dice.pick(DOMAIN_WORDS['photo'].medium)} of a {person}" if dice.chance(0.15) else person), needs


def _sentence(subject: str, dice: Dice) -> str:
    """Set a subject into a carrier; some stand alone, because a class word is also used bare."""
    if dice.chance(0.10):
        return subject
    if dice.chance(0.35):
        return CARRIER.format(subject) + ("." if dice.chance(0.5) else "")
    return dice.pick(TRAIN_TEMPLATES).format(subject)


def _draw(name: str, true: set[str], numbers: Sequence[float], bare: bool = False) -> Caption:
    dice = Dice(numbers)
    subject, needs = (dice.pick(DOMAIN_WORDS[name].names), ()) if bare else _subject(name, true, dice)
    return Caption(_sentence(subject, dice), name, needs)


def bare_captions(generator: torch.Generator) -> list[Caption]:
    """One caption a domain that names nothing else, in the order of `DOMAINS`."""
    numbers = torch.rand(len(DOMAINS), DRAWS, generator=generator).tolist()
    return [_draw(domain, set(), row, bare=True) for domain, row in zip(DOMAINS, numbers)]


def draw_captions(
    said: Tensor, names: Sequence[str], generator: torch.Generator, others: Sequence[str | None] | None = None
) -> list[Caption]:
    """A true caption for each picture.

    Args:
        said: `truth` of the N people.
        names: what each caption names, N of `CLASSES`.
        generator: which of the true captions.
        others: the other domain of a blend, or None; only what both domains show is said.
    """
    numbers = torch.rand(len(names), DRAWS, generator=generator).tolist()
    table = {name: shown(name) for name in {*names, *(others or ())} if name}
    out = []
    for k, name in enumerate(names):
        sure = (said[k] == 1) & table[name]
        if others is not None and others[k]:
            sure = sure & table[others[k]]
        true = {PREDICATE_NAMES[i] for i in sure.nonzero().flatten().tolist()}
        out.append(_draw(name, true, numbers[k]))
    return out


def draw_caption(factors: Tensor, name: str, generator: torch.Generator, share: float = 1.0, other: str | None = None) -> Caption:
    """A true caption for one picture; see `caption`."""
    for each in (name, *([other] if other else [])):
        if each not in CLASSES:
            check_domain(each)
    if not 0 <= share <= 1 or (share < 1 and other is None):
        raise UserError(f"a blend needs a share in [0, 1] and another domain; got share {share} and {other!r}")
    named, unnamed = (name, other) if float(torch.rand((), generator=generator)) < share else (other, name)
    return draw_captions(truth(factors.reshape(1, -1)), [named], generator, [unnamed if 0 < share < 1 else None])[0]


def caption(factors: Tensor, domain: str, generator: torch.Generator, share: float = 1.0, other: str | None = None) -> str:
    """A sentence that is true of a portrait.

    Args:
        factors: one portrait's factors, ``[F]``.
        domain: its domain, or a kind of ruin ("noise", "blur", "scramble", "patchwork").
        generator: which of the true sentences.
        share: how much of a blend is `domain`; that often the caption names it, else it names `other`.
        other: the other domain of a blend.

    Raises:
        UserError: for an unknown domain, or a blend without its other domain.
    """
    return draw_caption(factors, domain, generator, share, other).text


def captions(factors: Tensor, domains: Sequence[str], generator: torch.Generator) -> list[str]:
    """`caption` for a batch of pure portraits, ``[N, F]`` and N domains."""
    for domain in set(domains) - set(CLASSES):
        check_domain(domain)
    return [c.text for c in draw_captions(truth(factors), domains, generator)]


def agreement(said: Tensor, shares: Tensor, claims: Sequence[Caption]) -> tuple[Tensor, Tensor]:
    """How true each caption is of each picture.

    Args:
        said: `truth` of the people, ``[N, P]``; NaN rows for people nobody knows.
        shares: how much of each class a picture is, ``[N, C]``, rows sum to 1.
        claims: M captions.

    Returns:
        ``[N, M]`` in [0, 1], the share of the named class where no statement is false, and ``[N, M]`` bool: pairs of
        which it cannot be said, because a statement is unsure or hidden.
    """
    cover = torch.stack([shown(name) for name in CLASSES]).float()  # [C, P]
    hidden = ((shares > 0).float() @ (1 - cover)) > 0  # [N, P], something in the picture hides it
    named = torch.tensor([CLASSES.index(c.name) for c in claims])
    needs = torch.zeros(len(claims), len(PREDICATES))
    for row, c in zip(needs, claims):
        row[[predicate_index(name) for name in c.needs]] = 1
    unsure = (said.isnan() | hidden).float() @ needs.T > 0  # [N, M]
    false = ((said == 0) & ~hidden).float() @ needs.T > 0
    weight = shares[:, named] * ~(false | unsure)
    return weight, unsure & ~false & (shares[:, named] > 0)


def all_texts() -> list[str]:
    """Sentences that together use every phrase of the grammar, for finding its tokens and words."""
    phrases = [*ANYONE, *NOUNS, CARRIER.format("photo"), "with", "without", "wearing", "hair", "in the style of", "as a", "of a"]
    phrases += [p for words in DOMAIN_WORDS.values() for p in words.names + words.medium + words.style + words.creature]
    phrases += [p for ruin in RUINS.values() for p in ruin]
    phrases += [p for table in (ADJECTIVES, ATTRIBUTES, ABSENCES, HAIR_SHAPES, HAIR_COLORS) for p, _ in table]
    phrases += [p for question in ZERO_SHOT.values() for p in question]
    return phrases + [t.format("photo") for t in TRAIN_TEMPLATES]


def vocabulary() -> list[str]:
    """All words of the grammar, sorted."""
    return sorted({word for text in all_texts() for word in words_of(text)})
