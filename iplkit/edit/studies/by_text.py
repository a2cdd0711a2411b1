"""Bar 3: what global directions move, in the eyes of the fit and of the identity network.

For each prompt a way to make the step and its length are chosen on people of their own (`choose`): every way at every strength by
the judge network's quick reading of factors and the identity network, the best three ways by a short fit. Other people are
then edited and judged by the whole fit.
"""

import json
from dataclasses import dataclass

import torch
from torch import Tensor

from iplkit.bars.people import triples
from iplkit.bars.sets import Scale, draw_renders, texture_seed
from iplkit.edit.global_directions import draw_edit
from iplkit.edit.held import least_change, others_held
from iplkit.edit.selection import Beta, select, threshold
from iplkit.edit.studies.bench import BASE, HELD, PROMPTS, TOLD, Bench, Prompt
from iplkit.features import identity_features, judge_features
from iplkit.findings import Finding
from iplkit.images import from_uint8, to_uint8
from iplkit.invert.studies.lab import interval
from iplkit.metrics.oracle import wilson_interval
from iplkit.paths import root
from iplkit.world.factors import NAMES, index
from iplkit.world.fit import LEAST_R2, FitSettings, fit
from iplkit.world.words import WORLD_TEMPLATES

WAYS = (("relevance", 60), ("relevance", 150), ("others held", 60), ("others held", 150), ("least change", 0.3), ("least change", 1.0))
PLAIN = "relevance"  # StyleCLIP's own
STRENGTHS, HELD_PEOPLE = (4.0, 6.0, 8.0, 10.0, 12.0, 15.0), 24  # lengths of the step in S, in standard deviations
SHORT, FITTED = 3, 12  # ways that are fitted too, on so many of the choosing people
BRIEF = FitSettings(steps=40)
ENOUGH = 1.4  # more room than this is not sought: a longer step costs likeness
ASKED, SHARE, SAME = 0.25, 0.5, 0.95
PAIRS = 300  # of renders behind the threshold


def by_text(bench: Bench) -> Finding:
    """One line a prompt: what it moved, what else moved most, and how many stayed the same person."""
    codes, limit = bench.codes(TOLD), same_person_threshold(bench)
    before = pictures(bench, codes)
    truth = factors(bench, before)
    rows = []
    for prompt in PROMPTS:
        chosen = choose(bench, prompt, limit)
        after = pictures(bench, codes + chosen.pop("delta"))
        rows.append({"prompt": prompt.name, "factor": prompt.factor, **chosen, **told(bench, prompt, before, after, truth, limit)})
        print(*(f"{key} {value}" for key, value in rows[-1].items() if not key.startswith("moved ")), sep=" | ", flush=True)
    met = sum(row["met"] for row in rows)
    sets = {"n": bench.n, "judged seed": TOLD, "choosing people": HELD_PEOPLE, "choosing seed": HELD, "base people": bench.base, "base seed": BASE}
    grid = {"ways": [f"{way} {size:g}" for way, size in WAYS], "strengths": list(STRENGTHS), "fitted ways": SHORT, "fitted people": FITTED, "templates": len(WORLD_TEMPLATES)}
    return Finding("by_text", rows, sets | grid | {"threshold": limit, "met": met, "prompts": len(rows), "left out": list(unknown())})


@dataclass(frozen=True)
class Trial:
    """One way at one strength, on the choosing people.

    Args:
        way, size, strength: see `step_of`.
        delta: ``[C]``.
        same: share that stayed the same person.
        seen: see `moves`.
    """

    way: str
    size: float
    strength: float
    delta: Tensor
    same: float
    seen: dict

    @property
    def room(self) -> float:
        """How far inside the bar, above 1; below 0 where somebody became another person."""
        return room(self.seen, self.same, 1.0)


def step_of(bench: Bench, prompt: Prompt, way: str, size: float) -> Tensor:
    """One way's step, of length 1 in standard deviations, ``[C]``.

    Args:
        bench, prompt: see `choose`.
        way: "relevance", StyleCLIP's; "others held", the same of slopes without what other texts share; "least change".
        size: how many channels; for the least change its damping, with all channels.
    """
    slopes, space, std = bench.slopes(prompt), bench.eye.space, bench.statistics.std
    if way == "least change":
        step = least_change(slopes, bench.gram, size)
    else:
        relevance = (slopes if way == PLAIN else others_held(slopes, bench.others(prompt))) / bench.strengths
        step = torch.where(select(relevance, threshold(relevance, Beta(size, "count"))), relevance, 0.0)
    delta = torch.zeros_like(std)
    delta[space.convolutions] = step / step.norm() * std[space.convolutions]
    return delta


def choose(bench: Bench, prompt: Prompt, limit: float) -> dict:
    """The step with the most room to the bar on the choosing people: "delta" ``[C]``, and how it was found.

    Beside it stands the best of StyleCLIP's own ways, for comparison; both by the quick reading.
    """
    held = bench.codes(HELD, HELD_PEOPLE)
    before = pictures(bench, held)
    truth, trials = quick(bench, before), []
    for way, size in WAYS:
        unit = step_of(bench, prompt, way, size)
        for strength in STRENGTHS:
            after = pictures(bench, held + strength * unit)
            same = float((likeness(bench, before, after) >= limit).double().mean())
            trials.append(Trial(way, size, strength, strength * unit, same, moves(prompt, quick(bench, after) - truth)))
            if same < SAME:
                break  # farther is no better
    by_way = [max((t for t in trials if (t.way, t.size) == way), key=lambda t: t.room) for way in WAYS]
    plain = max((t for t in by_way if t.way == PLAIN), key=lambda t: t.room)
    best = fitted_best(bench, prompt, sorted(by_way, key=lambda t: -t.room)[:SHORT])
    found = {"way": best.way, "size": best.size, "channels": int((best.delta != 0).sum()), "strength": best.strength, "delta": best.delta}
    found["alpha"] = float((best.delta / bench.statistics.std.clamp_min(1e-12)).abs().max())
    for name, trial in (("quick", best), ("plain", plain)):
        found |= {f"{name} {key}": value for key, value in trial.seen.items()} | {f"{name} same": trial.same}
    return found


def fitted_best(bench: Bench, prompt: Prompt, short: list[Trial]) -> Trial:
    """The one of a few trials with the most room by a short fit of some of the choosing people."""
    held = bench.codes(HELD, HELD_PEOPLE)[:FITTED]
    truth = factors(bench, pictures(bench, held), BRIEF)
    rooms = [room(moves(prompt, factors(bench, pictures(bench, held + t.delta), BRIEF) - truth), t.same, 1.0) for t in short]
    return short[rooms.index(max(rooms))]


def quick(bench: Bench, images: Tensor) -> Tensor:
    """Factors as the judge network reads them, ``[N, F]``."""
    return judge_features(bench.model("judge"), to_uint8(images))["factors"]


def moves(prompt: Prompt, moved: Tensor) -> dict:
    """Mean move as asked, and the other factor that moved most, from changes ``[N, F]``; factors that no fit knows left out."""
    mine, others = index(prompt.factor), moved.mean(0).abs()
    others[[mine, *(index(name) for name in unknown())]] = -1
    worst = int(others.argmax())
    return {"asked": prompt.way * float(moved[:, mine].mean()), "other": NAMES[worst], "most": float(others[worst])}


def room(seen: dict, same: float, least: float = SAME) -> float:
    """How far an edit is inside the bar: above 1 it meets it. Where fewer than `least` stayed who they are, below 0."""
    return min(seen["asked"] / ASKED, SHARE * seen["asked"] / max(seen["most"], 1e-9), ENOUGH) if same >= least else same - 1


def told(bench: Bench, prompt: Prompt, before: Tensor, after: Tensor, truth: Tensor, limit: float) -> dict:
    """What the judges say of an edit."""
    moved = factors(bench, after) - truth
    seen, mine = moves(prompt, moved), index(prompt.factor)
    worst = index(seen["other"])
    alike = likeness(bench, before, after) >= limit
    low, high = wilson_interval(int(alike.sum()), len(alike))
    same = int(alike.sum()) / len(alike)
    asked = interval(prompt.way * moved[:, mine])
    met = asked.value >= ASKED and seen["most"] <= SHARE * asked.value and same >= SAME
    every = {f"moved {name}": interval(moved[:, k]) for k, name in enumerate(NAMES)}
    told = {"asked": asked, "other": NAMES[worst], "most other": interval(moved[:, worst]), "same": same, "same low": low, "same high": high}
    return told | {"met": bool(met)} | every


def unknown() -> tuple[str, ...]:
    """Factors that the fit does not know in photos (R2 below 0.5 on fresh renders), so that nothing may be said of them."""
    rows = json.loads((root() / "figures" / "full" / "check-fit.json").read_text(encoding="utf-8"))["rows"]
    quantities = {row["quantity"]: row["value"] for row in rows}
    return tuple(name for name in NAMES if quantities[f"fit, R2 of {name} in photo"] < LEAST_R2)


def pictures(bench: Bench, codes: Tensor) -> Tensor:
    """At 8 bits, as a judge sees them."""
    zero = torch.zeros(codes.shape[1])
    return from_uint8(to_uint8(draw_edit(bench.model("generator"), codes, zero, [0.0])[:, 0]))


def factors(bench: Bench, images: Tensor, settings: FitSettings = FitSettings()) -> Tensor:
    """By the fit through the renderer, ``[N, F]``."""
    return fit(images, "photo", lambda x: quick(bench, x), settings).factors


def likeness(bench: Bench, a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the identity network's embeddings, ``[N]``."""
    one, two = (identity_features(bench.model("identity"), to_uint8(x)) for x in (a, b))
    return (one * two).sum(1)


def same_person_threshold(bench: Bench, pairs: int = PAIRS) -> float:
    """The cosine at which as many strangers pass as the same people fail, on renders of one person in two circumstances."""
    scale = Scale()
    anchor, same, _ = triples(scale, pairs)
    one, two = (identity_features(bench.model("identity"), draw_renders(scale, f, "photo", texture_seed(scale, f"people {name}"))) for f, name in ((anchor, "anchor"), (same, "same")))
    own, strangers = (one * two).sum(1), (one * two.roll(1, 0)).sum(1)
    marks = torch.cat([own, strangers]).sort().values
    miss = torch.stack([(own < m).float().mean() - (strangers >= m).float().mean() for m in marks])
    return float(marks[miss.abs().argmin()])
