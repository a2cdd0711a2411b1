"""What a reader can move on the live page, defined once: ranges, names, start; and the W+ code that belongs to a setting.

Jupyter's widgets (`iplkit.web.notebook`) and the page's script (``book/_static/live``) are both made from `Controls`;
`edited_ws` is what the script repeats in the browser.

Axis letters: S seeds, R rows of W+ (num_ws), D width (512).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.latents import add_to_rows, mix, row_groups, truncate

KIND = "iplkit edit"  # first line of a saved edit


@dataclass(frozen=True)
class Range:
    """One slider."""

    low: float
    high: float
    step: float
    start: float

    def hold(self, name: str, value: float) -> float:
        """The value itself.

        Raises:
            UserError: if it is no number or lies outside.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise UserError(f"{name} must lie in {self.low:g} to {self.high:g}; got {value!r}")
        if self.step == 1 and value != int(value):
            raise UserError(f"{name} needs a whole number; got {value!r}")
        return value


@dataclass(frozen=True)
class Controls:
    """Everything that can be moved.

    Args:
        num_ws: rows of W+.
        directions: names of the directions, in the order of the menu.
        domains: adapted generator's name -> what the menu calls it; the source generator comes first by itself.
        source: what the menu calls the source generator.
        seed, second, psi, crossover, share, strength: their sliders; `strength` serves every group and every single row.
    """

    num_ws: int
    directions: tuple[str, ...]
    domains: Mapping[str, str] = field(default_factory=dict)
    source: str = "photo"
    seed: Range = Range(0, 255, 1, 52)
    second: Range = Range(0, 255, 1, 61)
    psi: Range = Range(0, 1.2, 0.05, 0.8)
    share: Range = Range(0, 1, 0.05, 1)
    strength: Range = Range(-2, 2, 0.1, 0)

    def __post_init__(self):
        if not self.directions:
            raise UserError("live controls need at least one direction; got none")

    @property
    def crossover(self) -> Range:
        """First row that comes from the second seed; `num_ws` means that none does."""
        return Range(0, self.num_ws, 1, self.num_ws)

    @property
    def places(self) -> dict[str, list[int]]:
        """Where an offset can go: the field's groups, then each row by itself; name -> rows."""
        groups = {name: list(rows) for name, rows in row_groups(self.num_ws).items() if len(rows)}
        return groups | {f"row {row}": [row] for row in range(self.num_ws)}

    def start(self) -> "Edit":
        """The setting that the page opens with."""
        return Edit(self.seed.start, self.psi.start, self.second.start, self.crossover.start, "", self.share.start, {})

    def asdict(self) -> dict:
        """As the page's script reads it."""
        ranges = {name: asdict(getattr(self, name)) for name in ("seed", "psi", "second", "crossover", "share", "strength")}
        menus = {"directions": list(self.directions), "domains": dict(self.domains), "source": self.source}
        return {"kind": KIND, "num_ws": self.num_ws, "ranges": ranges, "places": self.places} | menus

    def read(self, record: Mapping) -> "Edit":
        """A saved edit, checked.

        Raises:
            UserError: if it is no saved edit, or holds a value that the controls cannot show.
        """
        if not isinstance(record, Mapping) or record.get("kind") != KIND:
            raise UserError(f"a saved edit needs the line \"kind\": \"{KIND}\"; there is none")
        start = self.start()
        numbers = {name: getattr(self, name).hold(name, record.get(name, getattr(start, name))) for name in ("seed", "psi", "second", "crossover", "share")}
        domain, offsets = record.get("domain", ""), record.get("offsets", {})
        if domain not in ("", *self.domains):
            raise UserError(f"domain must be one of {', '.join(self.domains)} or empty; got {domain!r}")
        if not isinstance(offsets, Mapping) or not all(isinstance(strengths, Mapping) for strengths in offsets.values()):
            raise UserError("offsets need direction -> place -> strength; got something else")
        for direction, strengths in offsets.items():
            if direction not in self.directions:
                raise UserError(f"a direction is one of {', '.join(self.directions)}; got {direction!r}")
            for place, value in strengths.items():
                if place not in self.places:
                    raise UserError(f"a place is one of {', '.join(self.places)}; got {place!r}")
                self.strength.hold(f"{direction} at {place}", value)
        return replace(start, domain=domain, offsets={d: dict(s) for d, s in offsets.items()}, **numbers)


@dataclass(frozen=True)
class Edit:
    """One setting of the controls.

    Args:
        seed: whose w.
        psi: truncation; 1 leaves w, 0 gives the middle.
        second: whose w fills the rows from `crossover` on.
        crossover: see there.
        domain: name of an adapted generator, or empty for the source.
        share: 0 the source's weights, 1 the adapted ones.
        offsets: direction -> place -> strength, in lengths of the direction.
    """

    seed: int
    psi: float
    second: int
    crossover: int
    domain: str
    share: float
    offsets: dict[str, dict[str, float]]

    def asdict(self) -> dict:
        """As a file holds it; `Controls.read` brings it back."""
        return {"kind": KIND} | asdict(self)


def edited_ws(edit: Edit, controls: Controls, w: Tensor, w_avg: Tensor, directions: Tensor) -> Tensor:
    """The W+ code of a setting: truncate both people, mix them by rows, then add the offsets.

    Args:
        edit: the setting.
        controls: knows the places and the order of the directions.
        w: one w a seed, ``[S, D]``.
        w_avg: the middle of W, ``[D]``.
        directions: one a name of `controls.directions`, ``[len(directions), D]``.

    Returns:
        ``[1, R, D]``.
    """
    one, two = (truncate(w[int(seed)], w_avg, edit.psi).expand(1, controls.num_ws, -1) for seed in (edit.seed, edit.second))
    ws = mix(one, two, int(edit.crossover))
    for name, strengths in edit.offsets.items():
        for place, strength in strengths.items():
            ws = add_to_rows(ws, directions[controls.directions.index(name)], controls.places[place], strength)
    return ws


def blended(source: torch.nn.Module, adapted: torch.nn.Module, share: float) -> dict[str, Tensor]:
    """Weights on the straight way between two generators, as a state dict: share 0 the source, 1 the adapted one."""
    after = adapted.state_dict()
    return {name: before + share * (after[name] - before) for name, before in source.state_dict().items()}
