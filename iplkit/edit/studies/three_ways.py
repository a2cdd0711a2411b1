"""The three ways side by side: optimisation, mapper and global direction of the same texts, on the same people.

Judged as in `by_text`. Each way has the strength that its publication gives it (the optimisation its 40 steps, the mapper its
0.1), the global direction the one that was chosen on other people.
"""

import json
import time

import torch

from iplkit import zoo
from iplkit.edit.optimize_text import TextSettings, optimize_text
from iplkit.edit.studies.bench import TOLD, Bench, Prompt
from iplkit.edit.studies.by_text import choose, factors, pictures, same_person_threshold, told
from iplkit.edit.texts import text_feature
from iplkit.findings import Finding
from iplkit.invert.descent import Schedule
from iplkit.train.styleclip import CARRIER, TEXTS
from iplkit.zoo import SHIPPED

STEPS = 40  # of the published notebook
ASKED = (
    Prompt("happy", "sad face", "happy face", "smile", 1),
    Prompt("angry", "sad face", "angry face", "brow", -1),
    Prompt("long hair", "head with short hair", "head with long hair", "hair_length", 1),
)


def three_ways(bench: Bench) -> Finding:
    """One line a prompt and way."""
    generator, clip, rows = bench.model("generator"), bench.model("clip"), []
    z = torch.randn(bench.n, generator.config.z_dim, generator=torch.Generator().manual_seed(TOLD))
    ws = generator.mapping(z, 0.7)
    codes, space, limit = bench.codes(TOLD), bench.eye.space, same_person_threshold(bench)
    before = pictures(bench, codes)
    truth = factors(bench, before)
    _, ready = _timed(lambda: (bench.strengths, bench.gram))
    mappers, hours = zoo.load("styleclip"), json.loads((SHIPPED / "cards" / "styleclip.json").read_text(encoding="utf-8"))["hours"]
    for prompt in ASKED:
        text = text_feature(clip, TEXTS[prompt.name], CARRIER)
        settings = TextSettings(Schedule(STEPS, 0.1))
        walked, walking = _timed(lambda: optimize_text(generator, clip, ws, text, settings).ws)
        mapped, mapping = _timed(lambda: mappers[prompt.name].edit(ws))
        step, choosing = _timed(lambda: choose(bench, prompt, limit))
        flat = lambda x: space.flat(generator.synthesis.styles(x))  # noqa: E731
        ways = (
            ("optimisation", flat(walked), 0.0, walking),
            ("mapper", flat(mapped), hours * 3600 / len(TEXTS), mapping),
            ("global direction", codes + step["delta"], ready + choosing, 0.0),
        )
        for way, moved, preparation, each in ways:
            rows.append({"prompt": prompt.name, "way": way, "factor": prompt.factor, "preparation seconds": preparation, "seconds": each / bench.n})
            rows[-1] |= told(bench, prompt, before, pictures(bench, moved), truth, limit)
            print(rows[-1], flush=True)
    return Finding("three_ways", rows, {"n": bench.n, "steps": STEPS, "threshold": limit})


def _timed(what):
    """The answer, and processor seconds."""
    began = time.process_time()
    return what(), time.process_time() - began
