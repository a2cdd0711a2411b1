"""Which extractor plays which part in which profile, and where its weights come from.

Metrics ask for a part ("inception", "edges"); the profile decides who plays it. A part whose file is missing is
refused with the command that gets the file, and is never played by random weights unless that was asked for.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from iplkit import zoo
from iplkit.errors import NotHere, UserError
from iplkit.extractors.base import Extractor
from iplkit.paper_files import is_synthetic


class MissingWeights(NotHere):
    """The weights of an extractor are not there; the sentence holds the command that gets them."""


@dataclass(frozen=True)
class Part:
    """Who plays a part of the paper profile.

    Args:
        place: "module:class" of the extractor.
        models: names of its files in the zoo's paper profile, in the order that its reader takes them.
        reader: method that takes the paths.
    """

    place: str
    models: tuple[str, ...]
    reader: str = "from_file"


WORLD = {"inception": "judge", "texture": "judge", "lpips": "judge", "identity": "identity", "edges": "edges", "clip": "clip"}
PAPER = {
    "inception": Part("inception:Inception", ("judge",)),
    "texture": Part("inception:TorchvisionInception", ("inception-torchvision",)),
    "lpips": Part("lpips:VggLpips", ("vgg16", "lpips-heads"), "from_files"),
    "identity": Part("arcface:ArcFace", ("identity",)),
    "edges": Part("hed:Hed", ("hed",)),
    "clip": Part("paper_clip:ClipExtractor", ("clip-judge",)),
    "dinov2": Part("dinov2:DinoV2", ("dinov2",)),
}
PARTS = {"world": tuple(WORLD), "paper": tuple(PAPER)}


def load_extractor(part: str, profile: str = "world", *, allow_random: bool = False, folder: Path | None = None) -> Extractor:
    """The extractor that plays a part.

    Args:
        part: one of `PARTS` of the profile.
        profile: "world" or "paper".
        allow_random: use random weights where a file is missing, and files of another hash than the published one.
            The extractor is then marked `random`, and so is every number from it.
        folder: of the paper's files; None takes the one that IPLKIT_PAPER_WEIGHTS names.

    Raises:
        MissingWeights: if a file is missing and `allow_random` is false.
        UserError: unknown part or profile; a damaged file, of another network or hash.
    """
    if profile not in PARTS:
        raise UserError(f"profile must be one of {', '.join(PARTS)}; got {profile!r}")
    if part not in PARTS[profile]:
        raise UserError(f"profile {profile} has no extractor for {part!r}; {zoo.nearest(part, PARTS[profile])}")
    if profile == "world":
        from iplkit.extractors.world import world_extractor

        return world_extractor(WORLD[part])
    return _paper(PAPER[part], allow_random, folder)


def _paper(part: Part, allow_random: bool, folder: Path | None) -> Extractor:
    module, name = part.place.split(":")
    kind = getattr(import_module(f"iplkit.extractors.{module}"), name)
    missing = [model for model in part.models if not _there(model, folder)]
    if missing and allow_random:
        return kind.random_weights()
    if missing:
        commands = " && ".join(f"iplkit zoo get {model}" for model in missing)
        files = " and ".join(zoo.entry(model, "paper").file for model in missing)
        raise MissingWeights(f"{files} is needed and not there; get it with: {commands}")
    paths = [zoo.path_of(model, "paper", folder) for model in part.models]
    foreign = _foreign(part.models, paths)
    drawn = any(map(is_synthetic, paths))
    if foreign and not (allow_random or drawn):
        raise UserError(foreign)
    found = getattr(kind, part.reader)(*paths)
    found.random = drawn or bool(foreign)
    return found


def _there(model: str, folder: Path | None) -> bool:
    try:
        return zoo.path_of(model, "paper", folder).is_file()
    except UserError:  # no folder is named
        return False


def _foreign(models: tuple[str, ...], paths: list[Path]) -> str:
    """Why a file is not the published one; empty if it is, or if no hash is published."""
    for model, path in zip(models, paths, strict=True):
        wanted = zoo.entry(model, "paper").sha256
        if wanted and not (found := zoo.sha256(path)).startswith(wanted):
            return f"{path} needs a SHA-256 that begins with {wanted}; it has {found}"
    return ""
