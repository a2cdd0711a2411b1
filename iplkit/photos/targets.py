"""Which adapted generators a reader means by a word: a shipped one, one made by `iplkit adapt`, or a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from iplkit import paths, zoo
from iplkit.adapt.products import load_product
from iplkit.errors import NotHere, UserError


@dataclass(frozen=True)
class Target:
    """An adapted generator that is not loaded yet."""

    name: str  # "ipl-disney": method and domain; the stem for a file
    load: Callable[[], nn.Module]


def targets_of(words: Sequence[str], profile: str = "world", method: str | None = None, tier: str = "laptop") -> list[Target]:
    """Find each word's generators; nothing is loaded.

    Args:
        words: domains ("disney"), shipped names ("ipl-disney"), or files of `iplkit adapt`. Empty: all that are shipped, or made.
        profile: "world" has shipped ones; "paper" has those that the reader made.
        method: only of this method.
        tier: of those that the reader made.

    Returns:
        Without repetition, in the order of the words. A domain gives one for each method that has it.

    Raises:
        UserError: a word that has none; the command that makes one is named.
    """
    shipped = zoo.adapted_names() if profile == "world" else []
    found = {}
    for word in words or shipped or map(str, sorted(_folder(profile, tier).glob("*.safetensors"))):
        for target in _of_word(word, profile, method, shipped, tier):
            found.setdefault(target.name, target)
    if not found:
        raise NotHere(f"adapting a photo needs an adapted generator; none is here: make one with iplkit adapt --target sketch --profile {profile}")
    return list(found.values())


def _of_word(word: str, profile: str, method: str | None, shipped: list[str], tier: str) -> list[Target]:
    if Path(word).is_file():
        return [Target(Path(word).stem, lambda: load_product(word, profile))]
    slug = paths.slug(word)
    names = [n for n in shipped if (n == slug or n.partition("-")[2] == slug) and (method is None or n.startswith(f"{paths.slug(method)}-"))]
    if names:
        return [Target(name, lambda name=name: zoo.adapted(name)) for name in names]
    made = sorted(_folder(profile, tier).glob(f"{paths.slug(method) if method else '*'}-photo-to-{slug}-seed0.safetensors"))
    if made:
        return [Target(f"{p.stem.partition('-photo-to-')[0]}-{slug}", lambda p=p: load_product(p, profile)) for p in made]
    near = f"; {zoo.nearest(slug, shipped)}" if shipped else ""
    command = f'iplkit adapt --target "{word}" --method {method or "ipl"}' + ("" if profile == "world" else f" --profile {profile}")
    raise UserError(f"no adapted generator draws {word!r}{near}; make one with: {command}")


def _folder(profile: str, tier: str) -> Path:
    return paths.run_folder(tier, profile) / "adapted"
