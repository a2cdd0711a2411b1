"""The thesis table as the book prints it: strings for the reader, and the same numbers for the record."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from iplkit.sweep.cells import SOURCE
from iplkit.sweep.ordering import rank_correlation, same_winner
from iplkit.sweep.summary import Interval, counts, means, of, overall, paired, verdict

DASH = "\N{EN DASH}"
NBSP = "\N{NO-BREAK SPACE}"


def short(score: str) -> str:
    """A score's name as a column shows it; the page says that it is the oracle's."""
    return score.removeprefix("oracle ")


def known(value: float | None, otherwise: str = DASH) -> float | str:
    """A number for a record, or a dash where there is none, so that text can quote it either way."""
    return otherwise if value is None or math.isnan(value) else float(value)


def p_value(p: float) -> str:
    """A p value for a reader; nothing smaller than a thousandth is told apart."""
    return DASH if math.isnan(p) else f"<{NBSP}0.001" if p < 0.001 else f"{p:.3f}"


def by_domain(cells: pd.DataFrame, truths: pd.DataFrame, methods: Mapping[str, str], scores: Sequence[str], targets: Sequence[str]) -> tuple[pd.DataFrame, dict]:
    """Every method in every domain: mean over seeds and half the 95 % interval of it, with n.

    Args:
        cells, truths: from `iplkit.sweep.cells`.
        methods: name -> label; one without a cell in a domain gets no row there.
        scores: columns.
        targets: domains, in this order.

    Returns:
        The table, source first and true renders last in each domain; and target -> label -> score -> mean.
    """
    rows, numbers = [], {}
    found = {m: {s: means(cells, m, s, targets) for s in scores} for m in (SOURCE, *methods)}
    for target in targets:
        lines = {label: {s: found[m][s][target] for s in scores} for m, label in {SOURCE: "source", **methods}.items()}
        if target in truths.index:
            lines["true renders"] = {s: Interval(float(truths.at[target, s]) if s in truths else math.nan, math.nan, math.nan, 1) for s in scores}
        for label, line in lines.items():
            if n := max(each.n for each in line.values()):
                rows.append({"domain": target, "set": label, "n": n if label in methods.values() else ""} | {short(s): str(each) for s, each in line.items()})
                numbers.setdefault(target, {})[label] = {short(s): known(each.value) for s, each in line.items()}
    frame = pd.DataFrame(rows, columns=["domain", "set", "n", *map(short, scores)])
    return frame.assign(domain=frame["domain"].where(~frame["domain"].duplicated(), "")), numbers


def over_domains(cells: pd.DataFrame, truths: pd.DataFrame, methods: Mapping[str, str], scores: Sequence[str], targets: Sequence[str]) -> tuple[pd.DataFrame, dict]:
    """Mean over the domains that each method has, of its means over seeds. No interval: domains differ by more than methods do.

    Returns:
        The table, and label -> score -> mean.
    """
    rows, numbers = [], {}
    lines = {"source": SOURCE, **{label: m for m, label in methods.items()}}
    for label, method in lines.items():
        mine = of(cells, method)
        mine = mine[mine["target"].isin(targets)]
        if len(mine):
            average = mine.groupby("target")[[s for s in scores if s in mine]].mean().mean()
            rows.append({"set": label, "domains": mine["target"].nunique(), "cells": len(mine)} | {short(s): average.get(s, math.nan) for s in scores})
    there = [target for target in targets if target in truths.index]
    if there:
        average = truths.loc[there].mean()
        rows.append({"set": "true renders", "domains": len(there), "cells": len(there)} | {short(s): average.get(s, math.nan) for s in scores})
    for row in rows:
        numbers[row["set"]] = {key: known(value) for key, value in row.items() if key != "set"}
    return pd.DataFrame(rows, columns=["set", "domains", "cells", *map(short, scores)]), numbers


def contest(cells: pd.DataFrame, truths: pd.DataFrame, a: str, b: str, scores: Sequence[str]) -> tuple[pd.DataFrame, dict]:
    """Method a against method b, score by score: who wins in how many domains, and the mean difference over domains.

    Returns:
        The table; and score -> "difference", "low", "high", "better", "worse", "undecided", "domains", "seeds" (most
        shared), "up", "sign", "winner" (1: a, -1: b, 0: the interval over domains holds 0, or nothing is better).
    """
    rows, numbers = [], {}
    for score in scores:
        each = paired(cells, a, b, score, truths)
        told, found, turned = counts(each), overall(each), overall(each, "gain").difference
        winner = {"better": 1, "worse": -1, "undecided": 0}[verdict(turned)]
        row = {"score": short(score), "domains": len(each), "difference": str(found.difference).replace(" ", NBSP)}
        wins = {word: str(told[word]) if told["targets"] else DASH for word in ("better", "worse", "undecided")}
        rows.append(row | wins | {"sign test": p_value(found.sign_p), "Wilcoxon": p_value(found.wilcoxon_p)})
        middle = {"difference": known(found.difference.value), "low": known(found.difference.low), "high": known(found.difference.high)}
        rest = {"domains": len(each), "seeds": int(each["n"].max()) if len(each) else 0, "up": found.up, "sign": known(found.sign_p)}
        numbers[short(score)] = middle | rest | {word: told[word] for word in wins} | {"winner": winner}
    return pd.DataFrame(rows), numbers


def instruments(
    cells: pd.DataFrame, truths: pd.DataFrame, a: str, b: str, metrics: Sequence[str], judges: Sequence[str], rounds: int, seed: int = 0
) -> tuple[pd.DataFrame, dict]:  # fmt: skip
    """Do metrics put two methods into the order of the truth?

    Args:
        cells, truths: from `iplkit.sweep.cells`.
        a, b: two methods.
        metrics: what papers can measure.
        judges: what only the truth can tell.
        rounds, seed: of the resampling of domains.

    Returns:
        One row a pair: Spearman's correlation over the means of both methods in all domains, the same of the paired
        differences over domains, and in how many domains both prefer one method. A metric that has no better (SCS, ID)
        is read as papers read it: more is better. And "metric, judge" -> these numbers.
    """
    rows, numbers = [], {}
    for metric in metrics:
        for judge in judges:
            x, y = _points(cells, a, b, metric), _points(cells, a, b, judge)
            both = pd.concat([x.rename("metric"), y.rename("judge")], axis=1, join="inner").reset_index()
            levels = rank_correlation(both["metric"], both["judge"], both["target"], rounds, seed)
            one, two = (paired(cells, a, b, name, truths) for name in (metric, judge))
            steps = one.merge(two, on="target", suffixes=("", " judge"))
            inside = rank_correlation(steps["difference"], steps["difference judge"], None, rounds, seed)
            one = one.assign(gain=one["gain"].where(one["verdict"] != "", one["difference"]))
            agree, of_ = same_winner(one, two)
            row = {"metric": short(metric), "truth": short(judge), "over all means": str(levels), "of differences": str(inside)}
            rows.append(row | {"same winner": f"{agree} of {of_}" if of_ else DASH})
            values = {"all": known(levels.value), "differences": known(inside.value), "low": known(inside.low), "high": known(inside.high)}
            numbers[f"{short(metric)}, {short(judge)}"] = values | {"agree": agree, "domains": of_}
    return pd.DataFrame(rows), numbers


def _points(cells: pd.DataFrame, a: str, b: str, score: str) -> pd.Series:
    """Means over seeds, one row a method and target that both methods have."""
    found = {m: means(cells, m, score) for m in (a, b)}
    shared = [t for t in found[a] if t in found[b]]
    keys = pd.MultiIndex.from_product([(a, b), shared], names=["method", "target"])
    return pd.Series([found[m][t].value for m, t in keys], keys, dtype=float)
