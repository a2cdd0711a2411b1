"""The bridge's numbers for the book: measure them, keep them, read them.

\b
    python -m iplkit.edit.bridge_run tiers draws texts report

The gallery and the crowd are the training's own pairs in ``.cache``; they are made where they are missing.
"""

from collections.abc import Callable
from pathlib import Path

import click
import torch
from torch import Tensor

from iplkit.edit.bridge_report import FeatureToLatent, ReportSettings, train_report
from iplkit.edit.bridge_texts import bridge_texts
from iplkit.edit.bridge_tiers import Bench, bridge_draws, bridge_tiers
from iplkit.findings import Finding, timed, write_finding
from iplkit.invert.studies.lab import Lab, measured
from iplkit.train.bridge import HELD, gather
from iplkit.train.run import CACHE

SHELF = "bridge"
GALLERY, CROWD = 10_000, 1000


def bridge_report(bench: Bench, people: int = 20) -> Finding:
    """The report's network, photo by photo: as it was, and at a rate at which it learns."""
    lab, rows, people = bench.lab, [], min(people, bench.lab.n)
    images, e = bench.truth[:people], bench.pairs.e[:people]
    strangers, others = images.roll(1, 0), e.roll(1, 0)
    for name, settings in {"untrained": ReportSettings(0), "as it was": ReportSettings(), "at a rate of 1e-3": ReportSettings(rate=1e-3)}.items():
        nets = [train_report(images[k : k + 1], e[k : k + 1], lab.generator, settings, seed=k) for k in range(people)]
        mine, other = (torch.cat([_answer(lab, net.net, x[k : k + 1]) for k, net in enumerate(nets)]) for x in (e, others))
        moved = torch.tensor([net.moved for net in nets])
        columns = measured(moved=moved, square=(mine - images).square().mean((1, 2, 3)), similarity=(bench.seen(mine) * e).sum(1))
        columns |= measured(another_square=(other - strangers).square().mean((1, 2, 3)), another_similarity=(bench.seen(other) * others).sum(1))
        columns |= measured(between_answers=(mine - other).square().mean((1, 2, 3)), between_people=(images - strangers).square().mean((1, 2, 3)))
        rows.append({"training": name} | columns | {"initial weight": nets[0].began})
    right = bench.draw(bench.bridge.w(e))
    columns = measured(square=(right - images).square().mean((1, 2, 3)), similarity=(bench.seen(right) * e).sum(1))
    rows.append({"training": "the bridge's network"} | columns)
    return Finding("report", rows, {"n": people, "steps": ReportSettings().steps, "seed": lab.seed})


@torch.no_grad()
def _answer(lab: Lab, net: FeatureToLatent, e: Tensor) -> Tensor:
    """What the report's network draws for one feature, without noise."""
    return lab.generator(net(e), noise_mode="none")


STUDIES: dict[str, Callable[[Bench], Finding]] = {"tiers": bridge_tiers, "draws": bridge_draws, "texts": bridge_texts, "report": bridge_report}


def shipped_bench(n: int, fitted: int = 0, seed: int = 2024, cache: Path = CACHE) -> Bench:
    """The shipped models with the training's first pairs as gallery and others of them as crowd."""
    parts = gather(cache, 2 * HELD + GALLERY // 512)
    return Bench(Lab(n, seed=seed), parts.train[:GALLERY], parts.held.e[:CROWD], fitted=fitted)


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(STUDIES)))
@click.option("--n", default=64, show_default=True, help="Pairs.")
@click.option("--fitted", default=32, show_default=True, help="Of them, factors also by the fit.")
@click.option("--seed", default=2024, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Another folder for the numbers.")
def main(names, n, fitted, seed, threads, out) -> None:
    torch.set_num_threads(threads)
    bench = shipped_bench(n, fitted, seed)
    for name in names or STUDIES:
        finding = timed(STUDIES[name], bench)
        click.echo(f"{name} · {finding.about['seconds']} s · {write_finding(SHELF, finding, out)}")
        for row in finding.rows:
            click.echo("  " + " · ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
