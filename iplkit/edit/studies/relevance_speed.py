"""Bar 2: one backward pass against two renders a channel, at the same pictures; and how near the two come as the step shrinks."""

import time

import torch
from torch import Tensor

from iplkit.edit.relevance import Relevance, channel_strengths, finite_differences, prompt_slopes, reverse_matrix
from iplkit.edit.studies.bench import BASE, PROMPTS, Bench, cosine
from iplkit.findings import Finding

STEPS = (5.0, 2.0, 0.5, 0.1)
SAMPLE = 32  # channels of the agreement
PEOPLE = 4


def relevance_speed(bench: Bench) -> Finding:
    """Three tables in one: "cost", "agreement" and "base"."""
    eye, std, mean = bench.eye, bench.statistics.std, bench.statistics.mean
    two, four, text = bench.codes(BASE, 2), bench.codes(BASE, PEOPLE), bench.text(PROMPTS[0])
    prompt_slopes(eye, two, std, text)  # the first call of a backward pass also loads code
    slopes, quick = _timed(lambda: prompt_slopes(eye, two, std, text))
    apart, slow = _timed(lambda: finite_differences(eye, two, mean, std))
    rows = [
        {"table": "cost", "way": "differences", "renders": apart.renders, "cpu seconds": slow[0], "seconds": slow[1]},
        {"table": "cost", "way": "reverse", "renders": 3 * len(two), "cpu seconds": quick[0], "seconds": quick[1]},
        {"table": "cost", "way": "ratio", "renders": apart.renders / (3 * len(two)), "cpu seconds": slow[0] / quick[0], "seconds": slow[1] / quick[1]},
    ]
    piled = finite_differences(eye, two, mean, std, base="cumulative")
    return Finding("relevance_speed", rows + _agreement(eye, four, mean, std, text) + _bases(bench, apart, piled), {"people": PEOPLE, "sample": SAMPLE, "prompt": PROMPTS[0].name})


def _timed(what):
    cpu, wall = time.process_time(), time.perf_counter()
    found = what()
    return found, (time.process_time() - cpu, time.perf_counter() - wall)


def _agreement(eye, codes: Tensor, mean: Tensor, std: Tensor, text: Tensor) -> list[dict]:
    """Cosine over channels of the two ways' projections on a prompt, by step and centre.

    "cosine" compares slopes. Published code keeps rows of unit length, picture by picture; "cosine of unit rows" compares these
    with the reverse matrix's, and "cosine of quick unit rows" with slopes over strengths, which is what an edit here uses.
    """
    pick = torch.randperm(len(eye.space.convolutions), generator=torch.Generator().manual_seed(0))[:SAMPLE]
    columns = eye.space.convolutions[pick]
    slopes, rows = prompt_slopes(eye, codes, std, text)[columns], []
    unit = reverse_matrix(eye, codes, std, columns).rows @ text  # the same, each channel's row of unit length in each picture
    quick = slopes / channel_strengths(eye, codes, std)[columns]
    for step in STEPS:
        for centre in ("code", "mean"):
            found = finite_differences(eye, codes, mean, std, columns, step, centre=centre)
            seen = {"cosine": cosine(found.slopes @ text, slopes), "cosine of unit rows": cosine(found.rows @ text, unit), "cosine of quick unit rows": cosine(found.rows @ text, quick)}
            rows.append({"table": "agreement", "step": step, "centre": centre, **seen})
    return rows


def _bases(bench: Bench, apart: Relevance, piled: Relevance) -> list[dict]:
    """Cosine of each channel's row in the two bases, by layer: mean and the tenth part that agrees least."""
    alike, rows, space = (apart.rows * piled.rows).sum(1), [], bench.eye.space
    for layer in space.layers:
        where = space.columns(layer)
        mine = alike[(apart.columns >= where.start) & (apart.columns < where.stop)]
        if len(mine):
            rows.append({"table": "base", "layer": layer, "cosine": float(mine.mean()), "least tenth": float(mine.quantile(0.1))})
    return rows
