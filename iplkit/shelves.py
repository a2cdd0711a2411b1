"""Where the findings of long studies are kept, one shelf a subject: their names, what measures them again, what they stand on."""

from dataclasses import dataclass
from pathlib import Path

from iplkit.errors import UserError
from iplkit.paths import root


@dataclass(frozen=True)
class Shelf:
    """The findings of one subject.

    Args:
        about: the subject, in the words of a refusal.
        place: how their files begin, in ``figures/full``.
        command: what measures one of them again.
        studies: their names.
        weights: the models they stand on.
    """

    about: str
    place: str
    command: str
    studies: tuple[str, ...]
    weights: tuple[str, ...]


SHELVES = {
    "inversion": Shelf(
        "inversion", "inversion/", "python -m iplkit.invert.studies.run {}",
        ("which_space", "where_to_start", "moved_faces", "defects", "random_weights", "which_loss", "features_back", "morphing", "crossover", "expressions", "how_far_from_w"),
        ("generator", "critic", "encoder", "judge", "identity"),
    ),
    "latent": Shelf(
        "latent spaces", "edit/latent-", "python -m iplkit.edit.latent_studies.run {}",
        ("row_matrix", "row_fit", "lab_report", "spaces", "directions", "path_length"), ("generator", "judge", "identity"),
    ),
    "bridge": Shelf(
        "the bridge", "edit/bridge-", "python -m iplkit.edit.bridge_run {}",
        ("tiers", "draws", "texts", "report"), ("generator", "clip", "bridge", "judge", "identity"),
    ),
    "text": Shelf(
        "text edits", "edit/", "python -m iplkit.edit.studies.run {}",
        ("relevance_speed", "by_text", "three_ways"), ("generator", "clip", "identity", "judge", "styleclip"),
    ),
}  # fmt: skip


def finding_path(shelf: str, name: str, where: Path | None = None) -> Path:
    """Where the numbers of a study are kept.

    Args:
        shelf: one of `SHELVES`.
        name: of the study.
        where: another folder than ``figures/full``.

    Raises:
        UserError: if there is no such study.
    """
    if shelf not in SHELVES:
        raise UserError(f"findings are of {', '.join(SHELVES)}; got {shelf!r}")
    kept = SHELVES[shelf]
    if name not in kept.studies:
        raise UserError(f"a study of {kept.about} is one of {', '.join(kept.studies)}; got {name!r}")
    return (where or root() / "figures" / "full") / f"{kept.place}{name.replace('_', '-')}.json"
