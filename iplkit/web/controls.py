"""What a reader can move, defined once: sliders and menus, their ranges and names, and the frames drawn before.

Three lives come from one `Controls`: widgets where a kernel runs (`iplkit.web.notebook`), a strip of frames where none
does, and the page's own controls, built by ``book/_static/live`` from `Controls.asdict`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from iplkit.edit.edits import KIND, VERSION, Edit, Known, Move, from_record, number
from iplkit.errors import UserError
from iplkit.latents import row_groups

IN_LATENT, IN_DOMAIN = "latent", "domain"  # the part of a saved edit that holds a number


@dataclass(frozen=True)
class Range:
    """One slider; `stops` are the values of the frames that show it where nothing can be computed."""

    low: float
    high: float
    step: float
    start: float
    stops: tuple[float, ...] = ()

    def hold(self, name: str, value: float) -> float:
        """The value itself.

        Raises:
            UserError: if it is no number or lies outside.
        """
        return number(value, name, self.low, self.high, whole=self.step == 1)


@dataclass(frozen=True)
class Knob:
    """One slider or menu of the panel.

    Args:
        kind: "number" is a slider for a part of `Edit`, "place" one for the strength at some rows, "choice" a menu.
        name: of the part, the place or the menu.
        label: what stands beside it.
        part: where a saved edit holds a number.
    """

    kind: str
    name: str
    label: str
    part: str = ""


@dataclass(frozen=True)
class Group:
    """Knobs that belong together; a folded group is opened by the reader."""

    title: str
    knobs: tuple[Knob, ...]
    folded: bool = False


@dataclass(frozen=True)
class Controls:
    """Everything that can be moved.

    Args:
        known: the models and directions that an edit can name; its adapted generators are the domains of the menu.
        labels: adapted generator -> what the menu calls it.
        source: what the menu calls the source generator.
        more_groups: rows that move together, beside the groups of the field; name -> rows.
        seed, second, psi, share, strength: their sliders; `strength` serves every group and every single row.
    """

    known: Known
    labels: Mapping[str, str] = field(default_factory=dict)
    source: str = "photo"
    more_groups: Mapping[str, Sequence[int]] = field(default_factory=dict)
    seed: Range = Range(0, 255, 1, 52, (7, 23, 40))
    second: Range = Range(0, 255, 1, 61)
    psi: Range = Range(0, 1.2, 0.05, 0.8, (0, 0.8, 1.2))
    share: Range = Range(0, 1, 0.05, 1, (0, 0.5, 1))
    strength: Range = Range(-2, 2, 0.1, 0, (-2, 0, 2))

    def __post_init__(self):
        if not self.known.directions:
            raise UserError("live controls need at least one direction; got none")
        for name, rows in self.more_groups.items():
            for row in rows:
                number(row, f"a row of {name}", 0, self.known.num_ws - 1, whole=True)

    @property
    def crossover(self) -> Range:
        """First row that comes from the second seed; the number of rows means that none does."""
        rows = self.known.num_ws
        return Range(0, rows, 1, rows, tuple(range(rows, 0, -2)))

    @property
    def ranges(self) -> dict[str, Range]:
        """The sliders' ranges by name; "strength" is that of every place."""
        return {name: getattr(self, name) for name in ("seed", "psi", "second", "crossover", "share", "strength")}

    @property
    def domains(self) -> dict[str, str]:
        """Adapted generator -> what the menu calls it."""
        return {name: self.labels.get(name, name) for name in self.known.models if name != self.known.model}

    @property
    def groups(self) -> dict[str, list[int]]:
        """Rows that move together: the field's groups that this generator has, then the others."""
        field = {name: list(rows) for name, rows in row_groups(self.known.num_ws).items() if len(rows)}
        return field | {name: list(rows) for name, rows in self.more_groups.items()}

    @property
    def places(self) -> dict[str, list[int]]:
        """Where a strength can act: the groups, then each row by itself; name -> rows."""
        return self.groups | {f"row {row}": [row] for row in range(self.known.num_ws)}

    @property
    def panel(self) -> list[Group]:
        """All knobs in the order in which every panel shows them."""
        groups = tuple(Knob("place", name, f"{name} {_span(rows)}") for name, rows in self.groups.items())
        rows = tuple(Knob("place", name, name) for name in self.places if name not in self.groups)
        return [
            Group("Person", (Knob("number", "seed", "seed", IN_LATENT), Knob("number", "psi", "truncation ψ", IN_LATENT))),
            Group("Second person", (Knob("number", "second", "second seed", IN_LATENT), Knob("number", "crossover", "from row", IN_LATENT))),
            Group("Domain", (Knob("choice", "domain", "generator"), Knob("number", "share", "share", IN_DOMAIN))),
            Group("Move rows along a direction", (Knob("choice", "direction", "direction"), *groups)),
            Group("Single rows", rows, folded=True),
        ]

    def start(self) -> Edit:
        """The setting that every panel opens with."""
        return Edit(self.seed.start, self.psi.start, self.second.start, self.crossover.start, "", self.share.start)

    def asdict(self) -> dict:
        """As the page's script reads it."""
        known = self.known
        ranges = {name: {key: value for key, value in asdict(span).items() if key != "stops"} for name, span in self.ranges.items()}
        models = {name: known.identity(name) for name in known.models}
        menus = {"model": known.model, "models": models, "directions": list(known.directions), "origin": dict(known.origin)}
        panel = [asdict(group) for group in self.panel]
        shown = {"domains": self.domains, "source": self.source, "panel": panel, "places": self.places, "ranges": ranges}
        return {"kind": KIND, "version": VERSION, "num_ws": known.num_ws} | menus | shown

    def read(self, record: Mapping) -> Edit:
        """A saved edit that the sliders can show.

        Raises:
            UserError: if `iplkit.edit.edits.from_record` refuses it, or a value lies outside its slider.
        """
        edit = from_record(record, self.known)
        for group in self.panel:
            for knob in group.knobs:
                if knob.kind == "number":
                    self.ranges[knob.name].hold(knob.name, getattr(edit, knob.name))
        self.offsets(edit)
        return edit

    def offsets(self, edit: Edit) -> dict[str, dict[str, float]]:
        """An edit's moves as the sliders show them, direction -> place -> strength; rows of no group are shown one by one.

        Raises:
            UserError: if a strength lies outside the slider.
        """
        names, found = {tuple(rows): name for name, rows in reversed(self.places.items())}, {}
        for move in edit.moves:
            at = [names[move.rows]] if move.rows in names else [f"row {row}" for row in move.rows]
            for place in at:
                strengths = found.setdefault(move.direction, {})
                total = strengths.get(place, 0) + move.strength
                strengths[place] = self.strength.hold(f"{move.direction} at {place}", total)
        return found

    def moves(self, offsets: Mapping[str, Mapping[str, float]]) -> tuple[Move, ...]:
        """What the sliders show as moves; zeros are left out."""
        return tuple(Move(d, tuple(self.places[p]), s) for d, strengths in offsets.items() for p, s in strengths.items() if s)

    def strip(self) -> dict[str, list[tuple[str, Edit]]]:
        """The frames of a page that computes nothing: what moves -> its settings, each with a label.

        One row for each slider with stops, for each domain and for each direction; the first frame is the start.
        """
        start, found = self.start(), {}
        for knob in (knob for group in self.panel for knob in group.knobs if knob.kind == "number"):
            if knob.part == IN_LATENT and (stops := self.ranges[knob.name].stops):
                values = stops if getattr(start, knob.name) in stops else (getattr(start, knob.name), *stops)
                found[knob.label] = [(f"{knob.label} {value:g}", replace(start, **{knob.name: value})) for value in values]
        for name, label in self.domains.items():
            found[label] = [(f"share {value:g}", replace(start, domain=name, share=value) if value else start) for value in self.share.stops]
        for direction in self.known.directions:
            settings = [(place, value) for place in self.groups for value in self.strength.stops]
            frames = [(f"{place} rows {_signed(value)}", replace(start, moves=self.moves({direction: {place: value}}))) for place, value in settings]
            found[direction.replace("_", " ")] = frames
        return found


def _span(rows: Sequence[int]) -> str:
    """0, 1, 2, 3 -> "0–3"; rows that do not follow each other are listed."""
    rows = list(rows)
    if len(rows) > 1 and rows == list(range(rows[0], rows[-1] + 1)):
        return f"{rows[0]}–{rows[-1]}"
    return ", ".join(map(str, rows))


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−") if value else "0"
