"""Lists of sentences about a target, which IPL* pulls its prompts toward: shipped, general, or a reader's own.

``prompts.json`` beside this file holds a list for each of the world's 13 domains, in words that its CLIP knows.
It has the form that a reader may give too: ``{"sketch": ["a pencil drawing of a man", ...]}``.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from torch import nn

from iplkit.clip.text import tokenize
from iplkit.errors import UserError

SHIPPED = Path(__file__).with_name("prompts.json")
LOOKS = ("glasses", "a beard", "a smile", "an open mouth", "long hair", "short hair", "curly hair", "straight hair")
LOOKS += ("black hair", "brown hair", "red hair", "golden hair", "grey hair", "pale skin", "dark skin")
MOODS = ("young", "happy", "smiling", "sad", "bald", "bearded", "pale", "dark")
FORMS = tuple(f"a photo of a {{}} with {look}" for look in LOOKS) + tuple(f"a photo of a {mood} {{}}" for mood in MOODS)
"""Sentences about persons that suit any class; a list written for one class says more."""


@cache
def shipped_prompts() -> dict[str, tuple[str, ...]]:
    """The lists of the package: domain -> its sentences."""
    return {domain: tuple(prompts) for domain, prompts in json.loads(SHIPPED.read_text(encoding="utf-8")).items()}


def prompt_list(target: str) -> tuple[str, ...]:
    """Sentences for any target class: the shipped list if there is one, else the class word in each of `FORMS`.

    Raises:
        UserError: if the class word is empty or no text.
    """
    if not isinstance(target, str) or not target.strip():
        raise UserError(f"prompt_list needs a class word; got {target!r}")
    return shipped_prompts().get(target) or tuple(form.format(target) for form in FORMS)


def prompts_of(settings_prompts: Sequence[str], target: str, clip: nn.Module) -> tuple[str, ...]:
    """The sentences that a run pulls toward: the reader's own, else those of `prompt_list` that this CLIP can read.

    Raises:
        UserError: if it can read none.
    """
    return tuple(settings_prompts) or known(clip, prompt_list(target))


def read_prompts(path: str | Path, target: str = "", clip: nn.Module | None = None) -> tuple[str, ...]:
    """A reader's list from a file.

    A text file has one sentence a line; empty lines and lines with # in front are skipped. A file whose name
    ends in ``.json`` maps domains to lists, and that of `target` is taken.

    Args:
        path: the file.
        target: word of the target domain; needed for JSON only.
        clip: also refuse words that this CLIP never saw.

    Raises:
        UserError: if there is no such file, it is of another kind, or a sentence is wrong; the line is named.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"prompts need a text file with one sentence a line; {path} cannot be read as one") from error
    if path.suffix == ".json":
        places = [(f"sentence {k} of {target!r} in {path}", prompt) for k, prompt in enumerate(_entry(path, text, target), 1)]
    else:
        lines = [(f"line {k} of {path}", line.strip()) for k, line in enumerate(text.splitlines(), 1)]
        places = [(place, line) for place, line in lines if line and not line.startswith("#")]
    if not places:
        raise UserError(f"prompts need at least one sentence; {path} has none" + f" for {target!r}" * (path.suffix == ".json"))
    return _checked(places, clip)


def _entry(path: Path, text: str, target: str) -> list:
    """The list of one domain in a JSON file."""
    try:
        lists = json.loads(text)
    except ValueError as error:
        raise UserError(f"prompts in {path} need to be JSON like {{'sketch': ['a pencil drawing']}}; it is damaged ({error})") from error
    if not isinstance(lists, dict) or not isinstance(lists.get(target), list):
        known = f"it has {sorted(lists)}" if isinstance(lists, dict) else f"it holds a {type(lists).__name__}"
        raise UserError(f"prompts in {path} need a list of sentences for {target!r}; {known}")
    return lists[target]


def check_prompts(prompts: Sequence[str], clip: nn.Module | None = None) -> tuple[str, ...]:
    """The list itself, if it is one: texts that CLIP can read, none twice (it would count twice).

    Args:
        prompts: the sentences.
        clip: also refuse words that this CLIP never saw.

    Raises:
        UserError: saying which entry is wrong.
    """
    if not isinstance(prompts, (list, tuple)) or not prompts:
        raise UserError(f"prompts need to be a list of sentences; got {prompts!r}")
    return _checked([(f"number {index}", prompt) for index, prompt in enumerate(prompts, 1)], clip)


def _checked(places: list[tuple[str, object]], clip: nn.Module | None) -> tuple[str, ...]:
    """The sentences, if each is right; the error names the place of the first that is not."""
    seen: set[str] = set()
    for place, prompt in places:
        if not isinstance(prompt, str) or not prompt.strip():
            raise UserError(f"prompts need to be texts that are not empty; {place} is {prompt!r}")
        if prompt in seen:
            raise UserError(f"prompts need to be distinct; {prompt!r} comes twice, the second time as {place}")
        seen.add(prompt)
        try:
            tokenize([prompt]) if clip is None else clip.tokenize([prompt])
        except UserError as error:
            raise UserError(f"prompts need to be sentences that CLIP can read; {place} is not: {error}") from error
    return tuple(prompt for _, prompt in places)


def known(clip: nn.Module, prompts: Sequence[str]) -> tuple[str, ...]:
    """Those sentences whose words a CLIP knows.

    Raises:
        UserError: if it knows none of them.
    """
    kept = tuple(prompt for prompt in prompts if readable(clip, prompt))
    if not kept:
        raise UserError(f"this CLIP knows the words of none of the {len(prompts)} prompts; it needs a list in words it knows")
    return kept


def readable(clip: nn.Module, sentence: str) -> bool:
    """Whether a CLIP knows the words of a sentence, and can hold it."""
    try:
        clip.tokenize([sentence])
    except UserError:
        return False
    return True
