"""Names of the domains and where each is painted."""

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
    """The domain's module: ``TWEAKS``, ``CHANGES``, ``paint`` and perhaps ``warp``."""
    check_domain(name)
    return importlib.import_module(f"iplkit.world.domains.{_FILES[name]}")
