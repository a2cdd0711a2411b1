"""Names of the domains, where each is painted, and what each changes."""

import difflib
import importlib
from types import ModuleType

from iplkit.errors import UserError

_FILES = {
    "photo": "photo",
    "disney": "disney",
    "anime painting": "anime_painting",
    "wall painting": "wall_painting",
    "ukiyo-e": "ukiyo_e",
    "pixar character": "pixar_character",
    "tolkien elf": "tolkien_elf",
    "werewolf": "werewolf",
    "cartoon": "cartoon",
    "pointillism": "pointillism",
    "cubism": "cubism",
    "sketch": "sketch",
    "zombie": "zombie",
    "statue": "statue",
}
DOMAINS = tuple(_FILES)
TARGETS = DOMAINS[1:]


def check_domain(name: str) -> None:
    """Refuse a name that is no domain, with the nearest ones.

    Raises:
        UserError: one sentence.
    """
    if name not in _FILES:
        near = difflib.get_close_matches(str(name), DOMAINS, n=3, cutoff=0.3) or DOMAINS
        raise UserError(f"no domain is called {name!r}; the nearest known: {', '.join(near)}")


def style(name: str) -> ModuleType:
    """The domain's module.

    ``TWEAKS`` bends the head, ``paint`` colors it, ``warp``, where there is one, breaks the picture; ``CHANGES`` and
    ``WHAT`` say so in words.

    Raises:
        UserError: if there is no such domain.
    """
    check_domain(name)
    return importlib.import_module(f"iplkit.world.domains.{_FILES[name]}")


def table() -> list[dict[str, str]]:
    """What each domain changes of a photo, for the book.

    Geometry means that landmarks move by 5 % of the distance between the outer eye corners or more, or that the
    picture itself is broken.

    Returns:
        One row a domain, in order: "domain", "changes" ("nothing", "appearance" or "both"; no domain changes geometry
        alone), and "what", one sentence.
    """
    return [{"domain": name, "changes": style(name).CHANGES, "what": style(name).WHAT} for name in DOMAINS]
