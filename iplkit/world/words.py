"""The words of the captions: what each domain is called, what is said of a person, and the carrier sentences.

Only words are here; which of them are true of a portrait is decided in `captions`.
"""

from dataclasses import dataclass

from iplkit.clip.prompts import TEMPLATES

MEDIA = (
    ("sculpture", "rendering", "graffiti", "tattoo", "embroidered", "drawing", "plastic", "painting", "video game")
    + ("doodle", "origami", "sketch", "toy", "cartoon", "art ", "plushie")
)
"""Words that make a template name a domain: "a sketch of a {}" cannot carry "photo". A photo can carry anything."""

KEPT = (
    ("a bad photo of the {}.", "a photo of a hard to see {}.", "a low resolution photo of the {}.", "a cropped photo of a {}.")
    + ("a bright photo of the {}.", "a photo of a clean {}.", "a photo of the dirty {}.", "a dark photo of a {}.")
    + ("a photo of the cool {}.", "a close-up photo of a {}.", "a black and white photo of the {}.", "a pixelated photo of a {}.")
    + ("a jpeg corrupted photo of the {}.", "a blurry photo of a {}.", "a good photo of the {}.", "a photo of a nice {}.")
    + ("a photo of the weird {}.", "a photo of a large {}.", "itap of the {}.")
)
"""19 of the 79 templates, never trained on; each word of theirs occurs in one that is."""


def names_a_domain(template: str) -> bool:
    """Whether a template itself says what kind of picture it is."""
    return any(word in template for word in MEDIA)


TRAIN_TEMPLATES = tuple(t for t in TEMPLATES if t not in KEPT and not names_a_domain(t))
"""The other 60, less the 32 that name a domain."""
KEPT_TEMPLATES = tuple(t for t in TEMPLATES if t in KEPT)
WORLD_TEMPLATES = tuple(t for t in TEMPLATES if not names_a_domain(t))
"""All 47 that the world's CLIP can read: the ensemble of NADA in this world."""
CARRIER = "a photo of a {}"


@dataclass(frozen=True)
class DomainWords:
    """How one domain is spoken of."""

    names: tuple[str, ...]  # stand alone: "a photo of a sketch"
    medium: tuple[str, ...] = ()  # "a pencil drawing of a man"
    style: tuple[str, ...] = ()  # "a man in the style of cubism"
    creature: tuple[str, ...] = ()  # "a man as a zombie", "a happy zombie with glasses"


DOMAIN_WORDS = {
    "photo": DomainWords(("photo", "photograph"), medium=("photo", "photograph")),
    "disney": DomainWords(("disney", "disney character"), ("disney picture",), ("disney",), ("disney character",)),
    "anime painting": DomainWords(("anime painting", "anime", "anime character"), ("anime painting", "anime picture"), ("anime",), ("anime character",)),
    "wall painting": DomainWords(("wall painting", "mural", "fresco"), ("wall painting", "mural", "fresco"), ("a wall painting", "a fresco")),
    "ukiyo-e": DomainWords(("ukiyo-e", "ukiyo-e print", "japanese woodblock print"), ("ukiyo-e print", "japanese woodblock print"), ("ukiyo-e",)),
    "pixar character": DomainWords(("pixar character", "pixar"), ("pixar picture",), ("pixar",), ("pixar character",)),
    "tolkien elf": DomainWords(("tolkien elf", "elf", "elf from tolkien"), ("elf portrait",), ("a tolkien elf",), ("tolkien elf", "elf")),
    "werewolf": DomainWords(("werewolf", "wolfman"), ("werewolf portrait",), ("a werewolf",), ("werewolf", "wolfman")),
    "cartoon": DomainWords(("cartoon", "comic"), ("cartoon", "comic drawing"), ("a cartoon", "a comic")),
    "pointillism": DomainWords(("pointillism", "pointillism painting", "painting made of dots"), ("pointillism painting",), ("pointillism",)),
    "cubism": DomainWords(("cubism", "cubism painting", "cubist painting"), ("cubist painting", "cubism portrait"), ("cubism",)),
    "sketch": DomainWords(("sketch", "pencil sketch", "pencil drawing"), ("sketch", "pencil sketch", "pencil drawing"), ("a sketch",)),
    "zombie": DomainWords(("zombie", "undead"), ("zombie portrait",), ("a zombie",), ("zombie",)),
    "statue": DomainWords(("statue", "marble statue", "stone sculpture"), ("statue", "marble statue", "sculpture"), ("a statue",), ("statue",)),
}

RUINS = {
    "noise": ("noise", "random noise"),
    "blur": ("blur", "smear"),
    "scramble": ("scrambled picture", "shuffled picture"),
    "patchwork": ("patchwork", "patchwork of styles"),
}
"""What is said of pictures of no domain."""

ANYONE = ("head", "face", "person", "human")
NOUNS = {"man": "man", "woman": "woman", "boy": "boy", "girl": "girl"}  # word -> predicate
ADJECTIVES = (
    (("young", "young"), ("old", "old"), ("happy", "happy"), ("smiling", "happy"), ("sad", "sad"), ("angry", "angry"), ("bald", "bald"))
    + (("bearded", "beard"), ("pale", "pale"), ("dark", "dark"))
)
ATTRIBUTES = (
    (("glasses", "glasses"), ("a beard", "beard"), ("a smile", "happy"), ("long hair", "long"), ("short hair", "short"))
    + (("curly hair", "curly"), ("straight hair", "straight"), ("pale skin", "pale"), ("dark skin", "dark"), ("an open mouth", "open mouth"))
    + (("black hair", "black"), ("brown hair", "brown"), ("red hair", "red"), ("golden hair", "golden"), ("blond hair", "golden"))
    + (("grey hair", "grey"), ("gray hair", "grey"))
)  # after "with"
ABSENCES = (("glasses", "no glasses"), ("a beard", "no beard"))  # after "without"
HAIR_SHAPES = (("long", "long"), ("short", "short"), ("curly", "curly"), ("straight", "straight"))
HAIR_COLORS = (("black", "black"), ("brown", "brown"), ("red", "red"), ("golden", "golden"), ("grey", "grey"))
