"""Which space? How near a picture can be brought in Z, W, W+ and S, and what an edit of the code is then worth.

Abdal et al. 2019, Sec. 4.1, asks the first half. The second is the price (Tov et al. 2021, Sec. 3): a code that lies far from
W draws its picture and answers to a direction of W no longer. Two instruments: the true factors of the edited
picture, and e4e's consistency: edit, draw, encode again, take the edit back, draw.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.findings import Finding
from iplkit.invert.result import Inversion, decibels
from iplkit.invert.spaces import SPACES
from iplkit.invert.studies.directions import taught_directions
from iplkit.invert.studies.lab import Lab, interval, measured
from iplkit.sweep.summary import Interval
from iplkit.world.factors import NAMES, indices

EDITED = ("yaw", "hair_length", "background")  # one each that coarse, middle and fine rows know; the judge reads them well
STEP = 0.35  # of the way from a factor's low end to its high end


@dataclass(frozen=True)
class Edit:
    """One direction, as every space needs it."""

    factor: str
    ws: Tensor  # [D], a move of all rows
    sign: Tensor  # [N], towards the far end, so that there is room


def edits_of(lab: Lab, factors: Tensor) -> list[Edit]:
    """The edits of these people: away from the nearer end of each factor."""
    directions = taught_directions(lab.generator, list(EDITED))
    columns = factors[:, indices(EDITED)].T
    return [Edit(name, STEP * d, torch.where(f < 0.5, 1.0, -1.0)) for name, d, f in zip(EDITED, directions, columns)]


@torch.no_grad()
def edited(lab: Lab, found: Inversion, edit: Edit) -> Tensor:
    """Pictures after the edit. In S the move is what the affines make of it, since they are linear."""
    move = (edit.sign[:, None] * edit.ws)[:, None].expand(-1, lab.generator.num_ws, -1)
    zero = torch.zeros_like(move)
    now, before = lab.generator.synthesis.styles(move), lab.generator.synthesis.styles(zero)
    return lab.generator.synthesis.from_styles({name: s + now[name] - before[name] for name, s in found.styles.items()}, "none")


def arrived(lab: Lab, before: Tensor, after: Tensor, wanted: Tensor, edit: Edit, known: list[int]) -> tuple[Tensor, Tensor]:
    """How far the edited factor moves, in units of what the same edit does to a sample, and how far the others move on average.

    Args:
        before, after: pictures.
        wanted: the move of samples under this edit, one number.
        known: columns of factors that the judge reads.

    Returns:
        Two numbers a picture, ``[N]``.
    """
    moved = lab.read(after) - lab.read(before)
    column = NAMES.index(edit.factor)
    others = [k for k in known if k != column]
    return edit.sign * moved[:, column] / wanted, moved[:, others].abs().mean(1)


def consistency(lab: Lab, found: Inversion, after: Tensor, edit: Edit) -> Tensor:
    """PSNR of the picture that comes back when the edited one is encoded again and the edit taken back, ``[N]``."""
    back = lab.encode(after.clamp(-1, 1)) - (edit.sign[:, None] * edit.ws)[:, None]
    return decibels(lab.draw(back), found.images)


def editability(lab: Lab, found: Inversion, edits: list[Edit], wanted: list[Tensor], known: list[int]) -> dict[str, Interval]:
    """Three columns, each a mean over the edits: how much arrives, what else moves, and what comes back."""
    parts = []
    for edit, move in zip(edits, wanted):
        after = edited(lab, found, edit)
        parts.append((*arrived(lab, found.images, after, move, edit, known), consistency(lab, found, after, edit)))
    names = "edit arrives", "others move", "comes back, dB"
    return {name: interval(torch.stack(values).mean(0)) for name, values in zip(names, zip(*parts))}


def spread_of_rows(ws: Tensor) -> Tensor:
    """How far the rows of a code lie from their mean on average, ``[N, R, D]`` -> ``[N]``; 0 in W."""
    return (ws - ws.mean(1, keepdim=True)).norm(dim=-1).mean(1)


def known_columns(lab: Lab) -> list[int]:
    """Factors whose reading explains half of their variance on fresh photos."""
    truth = lab.people("which factors the judge reads")
    guess = lab.read(lab.shots(truth))
    wrong = (guess - truth).square().mean(0) / truth.var(0, unbiased=False)
    return (wrong < 0.5).nonzero().flatten().tolist()


def sample_moves(lab: Lab, directions: list[Edit]) -> list[Tensor]:
    """What each edit does to samples, whose codes lie in W: mean move of its own factor."""
    ws, images = lab.samples("samples to edit")
    before, moves = lab.read(images), []
    for edit in directions:
        column = NAMES.index(edit.factor)
        sign = torch.where(before[:, column] < 0.5, 1.0, -1.0)
        after = lab.read(lab.draw(ws + (sign[:, None] * edit.ws)[:, None]))
        moves.append((sign * (after - before)[:, column]).mean())
    return moves


def which_space(lab: Lab) -> Finding:
    """Each space against fidelity, distance from W, and three edits; the encoder's code beside them."""
    factors = lab.people("which space")
    images = lab.shots(factors, purpose="which space")
    edits, known = edits_of(lab, factors), known_columns(lab)
    wanted = sample_moves(lab, edits)
    rows, pictures = [], {"picture": images[:6]}
    for name in (*SPACES, "encoder"):
        found = lab.drawn(lab.encode(images), images) if name == "encoder" else lab.find(images, name)
        row = {"space": name} | measured(dB=found.db, LPIPS=lab.lpips(found.images, images), likeness=lab.likeness(found.images, images))
        if found.ws is not None:
            row["from W"] = interval(spread_of_rows(found.ws))
        rows.append(row | editability(lab, found, edits, wanted, known))
        pictures |= {name: found.images[:6], f"{name}, {edits[0].factor}": edited(lab, found, edits[0])[:6]}
    return Finding("which_space", rows, lab.about | {"edits": EDITED, "step": STEP, "factors read": len(known)}, pictures)

