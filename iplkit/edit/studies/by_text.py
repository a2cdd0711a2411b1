"""Bar 3: what global directions move, in the eyes of the fit and of the identity network.

CLIP alone sets each prompt's channels and strength, on people of their own: the strength is the least at which it prefers the
target with a mean probability of `SURE`; of the ways to choose channels, the one whose change of CLIP's feature points most
along the text is taken.
"""

import json

import torch
from torch import Tensor

from iplkit.bars.people import triples
from iplkit.bars.sets import Scale, draw_renders, texture_seed
from iplkit.edit.global_directions import direction_of, draw_edit
from iplkit.edit.relevance import channel_strengths, prompt_slopes
from iplkit.edit.selection import Beta
from iplkit.edit.studies.bench import BASE, HELD, PROMPTS, TOLD, Bench, Prompt
from iplkit.features import identity_features, judge_features
from iplkit.findings import Finding
from iplkit.images import from_uint8, to_uint8
from iplkit.invert.studies.lab import interval
from iplkit.metrics.oracle import wilson_interval
from iplkit.paths import root
from iplkit.world.factors import NAMES, index
from iplkit.world.fit import LEAST_R2, fit

SURE, STRENGTHS, HELD_PEOPLE = 0.9, (2.0, 3.0, 4.0, 6.0, 8.0), 8
COUNTS = (20, 60, 150)
ASKED, SHARE, SAME = 0.25, 0.5, 0.95
PAIRS = 300  # of renders behind the threshold


def by_text(bench: Bench) -> Finding:
    """One line a prompt: what it moved, what else moved most, and how many stayed the same person."""
    strengths = channel_strengths(bench.eye, bench.codes(BASE, bench.base), bench.statistics.std)
    codes, limit = bench.codes(TOLD), same_person_threshold(bench)
    before = pictures(bench, codes)
    truth = factors(bench, before)
    rows = []
    for prompt in PROMPTS:
        chosen = choose(bench, prompt, strengths)
        after = pictures(bench, codes + chosen.pop("delta"))
        rows.append({"prompt": prompt.name, "factor": prompt.factor, **chosen, **told(bench, prompt, before, after, truth, limit)})
        print(rows[-1], flush=True)
    met = sum(row["met"] for row in rows)
    return Finding("by_text", rows, {"n": bench.n, "threshold": limit, "sure": SURE, "met": met, "prompts": len(rows), "left out": list(unknown())})


def choose(bench: Bench, prompt: Prompt, strengths: Tensor) -> dict:
    """The step, by CLIP alone: "delta" ``[C]``, and how it was found."""
    text, space, held = bench.text(prompt), bench.eye.space, bench.codes(HELD, HELD_PEOPLE)
    slopes = prompt_slopes(bench.eye, bench.codes(BASE, bench.base), bench.statistics.std, text)
    ways, begun, best = {"slopes": slopes, "cosines": slopes / strengths.clamp_min(1e-12)}, bench.eye.many(held), None
    for way, relevance in ways.items():
        for count in COUNTS:
            step = direction_of(relevance[space.convolutions], space.convolutions, bench.statistics, Beta(count, "count")).delta
            unit = step / (step / bench.statistics.std.clamp_min(1e-12)).norm()
            for strength in STRENGTHS:
                seen = bench.eye.many(held + strength * unit)
                sure = float(bench.preference(seen, prompt).mean())
                if sure >= SURE or strength == STRENGTHS[-1]:
                    break
            along = float((((seen - begun) @ text) / (seen - begun).norm(dim=1).clamp_min(1e-9)).mean())
            found = {"way": way, "channels": count, "strength": strength, "alpha": strength * float((unit / bench.statistics.std.clamp_min(1e-12)).abs().max()), "sure": sure, "along": along, "delta": strength * unit}
            if best is None or (sure >= SURE, along) > (best["sure"] >= SURE, best["along"]):
                best = found
    return best


def told(bench: Bench, prompt: Prompt, before: Tensor, after: Tensor, truth: Tensor, limit: float) -> dict:
    """What the judges say of an edit."""
    moved = factors(bench, after) - truth
    mine = index(prompt.factor)
    others = moved.mean(0).abs()
    others[[mine, *(index(name) for name in unknown())]] = -1
    worst = int(others.argmax())
    same = likeness(bench, before, after) >= limit
    low, high = wilson_interval(int(same.sum()), len(same))
    asked = interval(prompt.way * moved[:, mine])
    met = asked.value >= ASKED and float(others[worst]) <= SHARE * asked.value and float(same.float().mean()) >= SAME
    moves = {f"moved {name}": interval(moved[:, k]) for k, name in enumerate(NAMES)}
    told = {"asked": asked, "other": NAMES[worst], "most other": interval(moved[:, worst]), "same": float(same.float().mean()), "same low": low, "same high": high}
    return told | {"met": bool(met)} | moves


def unknown() -> tuple[str, ...]:
    """Factors that the fit does not know in photos (R2 below 0.5 on fresh renders), so that nothing may be said of them."""
    rows = json.loads((root() / "figures" / "full" / "check-fit.json").read_text(encoding="utf-8"))["rows"]
    quantities = {row["quantity"]: row["value"] for row in rows}
    return tuple(name for name in NAMES if quantities[f"fit, R2 of {name} in photo"] < LEAST_R2)


def pictures(bench: Bench, codes: Tensor) -> Tensor:
    """At 8 bits, as a judge sees them."""
    zero = torch.zeros(codes.shape[1])
    return from_uint8(to_uint8(draw_edit(bench.model("generator"), codes, zero, [0.0])[:, 0]))


def factors(bench: Bench, images: Tensor) -> Tensor:
    """By the fit through the renderer, ``[N, F]``."""
    return fit(images, "photo", lambda x: judge_features(bench.model("judge"), to_uint8(x))["factors"]).factors


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
