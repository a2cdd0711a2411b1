"""Compare two sets of pictures with every metric that applies: two folders, two generators or their records, or stored features.

One pass over each set serves all metrics. What cannot be computed is skipped with its reason, unless it was asked for
by name: then the reason is a refusal.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from iplkit.errors import UserError
from iplkit.evaluate_report import Report, check_out
from iplkit.evaluate_sets import Folder, Samples, Set, Stored, check_alike, keys_hash, open_set, why_unpaired
from iplkit.evaluate_table import FROM_IMAGES, METRICS, REFERENCES, ROLES, Inputs, Metric
from iplkit.extractors.base import Extractor
from iplkit.extractors.catalog import WORLD, MissingWeights, load_extractor
from iplkit.features import BLOCK, blocks, extract_many
from iplkit.metrics.bootstrap import bootstrap
from iplkit.metrics.score import Score
from iplkit.paths import PROFILES
from iplkit.processes import ALONE, Team
from iplkit.zoo import nearest

KEPT = 1000  # images of each side that are kept for metrics which work on images, as the papers do


@dataclass(frozen=True)
class Options:
    """How to compare.

    Args:
        metrics: names; empty takes all that apply.
        profile: "world" or "paper".
        n: images of each side; None takes all of a folder and 1000 of a generator.
        seed: of the first latent, and of the bootstrap.
        rounds: of the bootstrap; 0 gives no intervals.
        source, target: captions, for the metrics of CLIP.
        allow_random: see `iplkit.extractors.catalog.load_extractor`.
        device: where networks compute.
        cache: folder of stored features; None keeps none.
        progress: show a bar with the time left.
    """

    metrics: tuple[str, ...] = ()
    profile: str = "world"
    n: int | None = None
    seed: int = 0
    rounds: int = 100
    source: str = ""
    target: str = ""
    allow_random: bool = False
    device: str = "cpu"
    cache: Path | None = None
    progress: bool = False

    def __post_init__(self):
        if self.profile not in PROFILES:
            raise UserError(f"profile must be one of {', '.join(PROFILES)}; got {self.profile!r}")
        for name in self.metrics:
            if name not in METRICS:
                raise UserError(f"there is no metric {name!r}; {nearest(name, METRICS)}")
        if self.n is not None and self.n < 1:
            raise UserError(f"n must be at least 1; got {self.n}")
        if self.rounds and self.rounds < 20:
            raise UserError(f"a bootstrap needs at least 20 rounds, or 0 for none; got {self.rounds}")
        if bool(self.source) != bool(self.target):
            raise UserError("captions come in twos; give both the source's and the target's")


def evaluate(a: str | Path, b: str | Path, options: Options = Options(), out: Path | None = None, team: Team = ALONE) -> Report | None:
    """Compare B with A.

    Args:
        a: the source or the true images: a folder, a generator, or features; see `iplkit.evaluate_sets.open_set`.
        b: what is judged.
        options: see `Options`.
        out: a file for the result, ``.csv`` or ``.json``; None writes none.
        team: processes that share the images; see `iplkit.processes`.

    Returns:
        `Report`: the scores, and why others were skipped. None in all processes but the first.

    Raises:
        UserError: sets that do not fit together; a metric asked for by name that cannot be computed; nothing that can.
    """
    check_out(out)
    options = replace(options, device=team.device(options.device), progress=options.progress and team.first)
    sets = open_set(a, options.n, options.seed, options.device), open_set(b, options.n, options.seed, options.device)
    report = compare(*_same_number(*sets, options), options, team)
    if out is not None and report is not None:
        report.write(out)
    return report


def _same_number(a: Set, b: Set, options: Options) -> tuple[Set, Set]:
    """A generator draws as many images as the other side has, if no number was asked for."""
    if options.n is None and isinstance(a, Samples) != isinstance(b, Samples):
        side, other = (a, b) if isinstance(a, Samples) else (b, a)
        fresh = Samples(side.generator, side.label, max(other.n, 2), side.seed, side.digest)
        return (fresh, b) if side is a else (a, fresh)
    return a, b


def compare(a: Set, b: Set, options: Options = Options(), team: Team = ALONE) -> Report | None:
    """Compare two opened sets; see `evaluate`."""
    check_alike(a, b)
    if isinstance(a, Samples) and isinstance(b, Samples):
        b.share_noise(a)
    chosen = [METRICS[name] for name in options.metrics] or [m for m in METRICS.values() if m.default and m.role in ROLES[options.profile]]
    skipped: dict[str, str] = {}
    loaded: dict[str, Extractor] = {}
    chosen = _keep(chosen, lambda m: why_not(m, a, b, options), options, skipped)
    chosen = _keep(chosen, lambda m: _why_no_extractor(m, a, b, options, loaded), options, skipped)
    if not chosen:
        raise UserError(f"no metric can be computed of {a.label} and {b.label}; {_first(skipped)}")
    inputs = _inputs(a, b, chosen, loaded, options, team)
    if not team.first:
        return None
    scores = []
    for metric in chosen:
        try:
            scores += compute(metric, inputs, options)
        except UserError as error:
            _skip(metric, str(error), options, skipped)
    if not scores:
        raise UserError(f"no metric can be computed of {a.label} and {b.label}; {_first(skipped)}")
    origins = [side.origin() | {"keys": keys_hash(side.keys)} for side in (a, b)]
    return Report(*origins, options.profile, options.seed, scores, skipped)


def _first(skipped: dict[str, str]) -> str:
    """Two reasons, those first that a command puts right."""
    by_use = sorted(skipped, key=lambda name: "iplkit zoo get" not in skipped[name])
    return "; ".join(f"{name}: {skipped[name]}" for name in by_use[:2])


def _keep(metrics: Sequence[Metric], why, options: Options, skipped: dict[str, str]) -> list[Metric]:
    kept = []
    for metric in metrics:
        reason = why(metric)
        if reason:
            _skip(metric, reason, options, skipped)
        else:
            kept.append(metric)
    return kept


def _skip(metric: Metric, reason: str, options: Options, skipped: dict[str, str]) -> None:
    if metric.name in options.metrics:
        raise UserError(f"{metric.name} cannot be computed: {reason}")
    skipped[metric.name] = reason


def why_not(metric: Metric, a: Set, b: Set, options: Options) -> str:
    """Why a metric does not apply to two sets, before anything is computed; empty if it does."""
    if metric.role not in ROLES[options.profile]:
        others = [p for p in PROFILES if metric.role in ROLES[p]]
        return f"profile {options.profile} has no network for it; it belongs to profile {', '.join(others)}"
    if metric.captions and not options.source:
        return "it needs the captions of both domains; give --source and --target"
    if metric.works_on == "pairs" and (why := why_unpaired(a, b)):
        return why
    if metric.references and not 1 <= a.n <= REFERENCES:
        return f"it compares with single references; A needs at most {REFERENCES} pictures and has {a.n}; kid compares sets"
    if metric.role in FROM_IMAGES and (isinstance(a, Stored) or isinstance(b, Stored)):
        return "it needs images; stored features are none"
    needed, few = metric.needs(options.profile), min(a.n, b.n)
    if few < needed and not metric.references:
        instead = f"; use {metric.instead} instead" if metric.instead else ""
        return f"it needs at least {needed} images of each side; there are {a.n} and {b.n}{instead}"
    return ""


def _why_no_extractor(metric: Metric, a: Set, b: Set, options: Options, loaded: dict[str, Extractor]) -> str:
    part, layer = ROLES[options.profile][metric.role]
    try:
        extractor = _load(part, options, loaded)
    except MissingWeights as error:
        return str(error)
    for side in (a, b):
        if isinstance(side, Stored) and (why := _why_foreign(side, extractor, layer)):
            return why
    return ""


def _load(part: str, options: Options, loaded: dict[str, Extractor]) -> Extractor:
    player = WORLD[part] if options.profile == "world" else part
    if player not in loaded:
        loaded[player] = load_extractor(part, options.profile, allow_random=options.allow_random).to(options.device)
    return loaded[player]


def _why_foreign(stored: Stored, extractor: Extractor, layer: str) -> str:
    """Why stored features cannot stand beside an extractor's; features of another profile are refused outright."""
    origin = stored.features.origin
    if origin.get("profile") != extractor.profile:
        raise UserError(f"{stored.label} needs features of profile {extractor.profile}; it holds those of profile {origin.get('profile')}")
    if layer not in stored.features.layers or origin.get("extractor") != extractor.name:
        return f"{stored.label} holds no layer {layer} of {extractor.name}"
    if origin.get("sha256") != extractor.hash or origin.get("protocol") != extractor.protocol:
        return f"{stored.label} holds features of other weights or another protocol of {extractor.name}"
    return ""


def _inputs(a: Set, b: Set, metrics: list[Metric], loaded: dict[str, Extractor], options: Options, team: Team) -> Inputs:
    roles = {m.role: ROLES[options.profile][m.role] for m in metrics}
    players = {role: _load(part, options, loaded) for role, (part, _) in roles.items()}
    inputs = Inputs(extractors=players, rounds=options.rounds, seed=options.seed)
    if any(m.captions for m in metrics):
        inputs.texts = tuple(players["clip"].text([options.source, options.target]))
    wanted = {role: (players[role], layer) for role, (_, layer) in roles.items() if role not in FROM_IMAGES}
    keep = KEPT if set(roles) & FROM_IMAGES else 0
    bar = tqdm(total=-(-(a.n + b.n) // team.count), unit="image", desc="features", disable=not options.progress, file=sys.stderr)
    with bar:
        (inputs.a, inputs.images_a), (inputs.b, inputs.images_b) = (_features(side, wanted, keep, options, bar, team) for side in (a, b))
    return inputs


def _features(
    side: Set, wanted: dict[str, tuple[Extractor, str]], keep: int, options: Options, bar: tqdm, team: Team
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Roles of one side, and its first images if they are needed; each process looks at its blocks, the first one gets all."""
    if isinstance(side, Stored):
        bar.update(side.n)
        return {role: side.features[layer] for role, (_, layer) in wanted.items()}, None
    extractors = {extractor.name: extractor for extractor, _ in wanted.values()}
    layers = {name: sorted({layer for e, layer in wanted.values() if e.name == name}) for name in extractors}
    own = team.own(side.n, BLOCK)
    parts = [_block(side, rows, [(extractors[name], layers[name]) for name in extractors], keep, options, bar) for rows in own]
    gathered = team.gather(parts)
    if gathered is None:
        return {}, None
    blocks_in_order = [gathered[k % team.count][k // team.count] for k in range(-(-side.n // BLOCK))]
    found = {
        role: torch.cat([layers_of[list(extractors).index(e.name)][layer] for layers_of, _ in blocks_in_order])
        for role, (e, layer) in wanted.items()
    }
    kept = [images for _, images in blocks_in_order if images is not None]
    return found, torch.cat(kept) if kept else None


def _block(side: Folder | Samples, rows: tuple[int, int], wanted: list[tuple[Extractor, list[str]]], keep: int, options: Options, bar: tqdm):
    """Layers of some images of a side, one dictionary an extractor, and those of the images that are kept."""
    start, stop = rows
    kept = None
    if not wanted and start >= keep:
        bar.update(stop - start)
        return [], None
    (images,) = blocks(side.batches(start, stop), stop - start)
    if start < keep:
        kept = images[: keep - start].clone()
    found = [features.layers for features in extract_many(wanted, images, cache=options.cache)] if wanted else []
    bar.update(stop - start)
    return found, kept


def compute(metric: Metric, inputs: Inputs, options: Options) -> list[Score]:
    """One metric, of both sides where it works on one at a time; each score signed by its network.

    Raises:
        UserError: if the metric refuses its features.
    """
    extractor = inputs.extractors[metric.role]
    about = {"metric": metric.name, "extractor_protocol": dict(extractor.protocol), "random": extractor.random}
    if metric.works_on == "each":
        plans = [(metric.plan(inputs, side), side.upper()) for side in "ab"]
    else:
        plans = [(metric.plan(inputs), "A and B")]
    scores = []
    for (function, sets), of in plans:
        score = _with_interval(function, sets, options)
        signed = score.by(extractor.name, extractor.hash)
        scores.append(replace(signed, settings=signed.settings | about | {"of": of}))
    return scores


def _with_interval(function, sets: list, options: Options) -> Score:
    rows = [group if isinstance(group, tuple) else (group,) for group in sets]
    if options.rounds and rows and min(len(group[0]) for group in rows) > 1:
        return bootstrap(function, sets, options.rounds, options.seed)
    return function(*(tensor for group in rows for tensor in group))
