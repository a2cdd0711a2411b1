"""Which cells the book prints: the thesis table, the other methods, the ablations, and a laptop's subset."""

from iplkit.errors import UserError
from iplkit.sweep.cells import SOURCE, Cell
from iplkit.world.domains.catalog import DOMAINS

TARGETS = DOMAINS[1:]
SIX = ("disney", "anime painting", "pixar character", "sketch", "ukiyo-e", "statue")  # two of shape, two of line, two of surface
OTHERS = ("style_shift", "domain_modulation", "moments", "air")  # "mix" has two targets, and no true renders to be near to
# Both train few numbers and need larger steps: of 0.005, 0.02 and 0.08 the last one had the lowest loss on sketches, seed 0.
OWN_SETTINGS = {"style_shift": ("lr=0.08",), "domain_modulation": ("lr=0.08", "beta1=0.9", "beta2=0.999")}


def _grid(methods, targets, seeds) -> list[Cell]:
    return [Cell(method, target, seed) for seed in seeds for target in targets for method in methods]


def table() -> list[Cell]:
    """NADA and IPL, five seeds in thirteen domains, and the source beside them."""
    return [Cell(SOURCE, target) for target in TARGETS] + _grid(("nada", "ipl"), TARGETS, range(5))


def star() -> list[Cell]:
    """IPL with prompt alignment, three seeds in thirteen domains; the six of the other methods first."""
    rest = [target for target in TARGETS if target not in SIX]
    return _grid(("ipl_star",), SIX, range(3)) + _grid(("ipl_star",), rest, range(3))


def others() -> list[Cell]:
    """The methods beside, three seeds in six domains."""
    return _grid(OTHERS, SIX, range(3))


def laptop() -> list[Cell]:
    """What `make thesis` computes again: the runs that chapter 11 needs anyway."""
    return [Cell(SOURCE, "sketch"), Cell("nada", "sketch"), Cell("ipl", "sketch")]


def ablations() -> list[Cell]:
    """One change at a time; see `iplkit.sweep.ablations`."""
    from iplkit.sweep.ablations import ablations as cells  # imports torch, which the other plans do not need

    return cells()


PLANS = {"table": table, "star": star, "others": others, "ablations": ablations, "laptop": laptop}
PRINTED = {"laptop": ("table", "star", "others")}  # what a subset is a subset of


def plan(names: tuple[str, ...]) -> list[Cell]:
    """The cells of some plans, in order, each once.

    Raises:
        UserError: for an unknown plan.
    """
    if unknown := [name for name in names if name not in PLANS]:
        raise UserError(f"a plan is one of {', '.join(PLANS)}; got {', '.join(unknown)}")
    return list(dict.fromkeys(cell for name in names for cell in PLANS[name]()))


def plans_at(name: str, tier: str) -> tuple[str, ...]:
    """The plans that a chapter means by one name: at the full tier all that it prints, else the plan itself.

    Raises:
        UserError: for an unknown plan.
    """
    plan((name,))
    return PRINTED.get(name, (name,)) if tier == "full" else (name,)


def choose(cells: list[Cell], methods: tuple[str, ...] = (), targets: tuple[str, ...] = (), part: str = "0/1") -> list[Cell]:
    """Some of the cells.

    Args:
        cells: all of them.
        methods, targets: only these; empty takes all.
        part: "k/n": only the domains at places k, k + n, ... of the catalog.

    Raises:
        UserError: a method or target that no cell has, or a part that is none.
    """
    for what, wanted, known in (("method", methods, {c.method for c in cells}), ("target", targets, {c.target for c in cells})):
        if unknown := sorted(set(wanted) - known):
            raise UserError(f"{what} must be one of {', '.join(sorted(known))}; got {', '.join(unknown)}")
    k, slash, n = part.partition("/")
    if not (slash and k.isdigit() and n.isdigit() and int(k) < int(n)):
        raise UserError(f"part needs to be K/N with K below N, for example 0/2; got {part!r}")
    mine = TARGETS[int(k) :: int(n)]
    return [c for c in cells if c.target in mine and c.method in (methods or (c.method,)) and c.target in (targets or (c.target,))]
