"""What the live page costs: bytes before the first picture, milliseconds a picture and a step of a slider, distance from torch.

The page of the built book is opened in Chromium without a window, one thread. Needs a built book and a Chromium on the path.
Run it on an idle machine; --keep also writes the table that the book prints.

    make book && python bench/bench_live.py --keep
"""

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from iplkit import zoo
from iplkit.edit.draw import draw
from iplkit.edit.edits import Edit, Known, Move, to_record
from iplkit.images import to_uint8
from iplkit.records import Origin, markdown_table, save_table, shipped_hashes
from iplkit.stage import first_page
from iplkit.web.controls import Controls
from iplkit.web.notebook import STRIP_BYTES
from iplkit.weights import read_weights

for folder in ("tests", "tests/web"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))
import browser  # noqa: E402

PAGE = "notebooks/03b_live_edits.html"
PICTURES, WARM, COMPARED = 60, 10, 64
LIVE = "document.querySelector('.live').live"
MOVES = {  # what a step of each slider does to the edit; i counts from 0
    "a new person": "edit.seed = i",
    "drag seed": "edit.seed = 100 + i",
    "drag truncation": "edit.psi = (i + 1) / 60",
    "drag crossover": "edit.crossover = i % 10",
    **{f"drag {place}": f"edit.offsets = {{[live.definition.directions[0]]: {{{place}: (i + 1) / 40}}}}" for place in ("coarse", "middle", "fine")},
    "drag share": "edit.domain = Object.keys(live.definition.domains)[0]; edit.share = (i + 1) / 60",
}
STEPS = """(async (live, dragging) => {
  const found = [], before = live.edit, edit = (live.edit = { ...before });
  for (let i = 0; i < %d; i++) {
    %s;
    await live.draw(dragging);
    found.push([live.last.ms, live.last.side]);
    await new Promise((next) => requestAnimationFrame(next));
  }
  live.edit = before;
  return found;
})(%s, %s)"""


def main() -> None:
    """Measure, print, and keep the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write figures/tab-live-cost.*, which the book prints")
    keep = parser.parse_args().keep
    if browser.find() is None or not (first_page().parent / PAGE).is_file():
        sys.exit(print(f"bench_live needs Chromium and the built page {PAGE}; skipped"))
    load = os.getloadavg()[0]
    rows, numbers, sides = measure()
    table = pd.DataFrame(rows, columns=["quantity", "measured", "unit", "asked", "met"])
    print(markdown_table(table))
    print(f"load of the machine before: {load:.1f} on {os.cpu_count()} cores")
    if keep:
        program = subprocess.run([browser.find(), "--version"], capture_output=True, text=True, check=False).stdout
        config = {"pictures": PICTURES - WARM, "browser": " ".join(re.findall(r"[A-Za-z]+|\d+", program)[:2]), "threads": 1}
        numbers |= {"load before": round(load, 1), "cores": os.cpu_count(), "side": sides}
        save_table(table, "tab-live-cost", Origin("bench/bench_live.py", out="figures"), config=config, inputs=["generator"], numbers=numbers)


def measure() -> tuple[list, dict, dict]:
    """The rows of the table, the numbers that the text quotes, and the side of the pictures drawn while dragging."""
    with tempfile.TemporaryDirectory() as profile, browser.serve(first_page().parent, Compressing) as address:
        page = browser.Page(browser.find(), Path(profile))
        try:
            page.open(address + PAGE)
            strip = page.run("document.querySelector('.live-strip').innerHTML.length")
            before = page.run("performance.getEntriesByType('resource').length")
            page.run("document.querySelector('.live-offer button').click()")
            page.until(f"!!{LIVE}", 600)
            first = sum(transferred(page)[before:])
            levels = distance(page)
            domains = [size for name, size in zip(names(page), transferred(page), strict=True) if name.endswith(".safetensors") and "synthesis" not in name and "latents" not in name]
            steps = {name: page.run(STEPS % (PICTURES, change, LIVE, json.dumps(name.startswith("drag"))))[WARM:] for name, change in MOVES.items()}
            outside = len(page.outside(address))
        finally:
            page.close()
    ms = {name: statistics.median(t for t, _ in found) for name, found in steps.items()}
    sides = {name: statistics.mode(side for _, side in found) for name, found in steps.items()}
    plain = sum(path.stat().st_size for path in files_of_first_picture())
    mb = {"frames before the model": strip / 1e6, "first picture, compressed": first / 1e6, "first picture, not compressed": plain / 1e6, "a further domain": max(domains) / 1e6}
    asked = {"frames before the model": STRIP_BYTES / 1e6, "first picture, compressed": 10, "a further domain": 1.5}
    rows = [row(name, value, "MB", asked.get(name)) for name, value in mb.items()]
    rows += [row(f"largest difference from torch, {COMPARED} pictures", levels, "of 255 levels", 2), row("requests to other hosts", outside, "", 0)]
    rows += [row(f"{'a step of the ' + name[5:] + ' slider' if name.startswith('drag') else name + ', the whole picture'}, drawn at {sides[name]} px", value, "ms", 16 if name.startswith("drag") else 33) for name, value in ms.items()]
    return rows, {"MB": mb, "ms": ms, "levels from torch": levels, "pictures compared": COMPARED}, sides


def row(quantity: str, value: float, unit: str, limit: float | None) -> list:
    """One line of the table."""
    return [quantity, float(value), unit, "" if limit is None else f"<= {limit:g}", "" if limit is None else "yes" if value <= limit else "no"]


def names(page: browser.Page) -> list[str]:
    """What the page asked for."""
    return page.run("performance.getEntriesByType('resource').map(e => e.name)")


def transferred(page: browser.Page) -> list[int]:
    """Bytes of each, with headers, as they came."""
    return page.run("performance.getEntriesByType('resource').map(e => e.transferSize)")


def files_of_first_picture() -> list[Path]:
    """The same files, as they lie on the disk."""
    live = first_page().parent / "_static" / "live"
    scripts = [path for path in live.iterdir() if path.suffix in (".mjs", ".gz") or path.name in ("live.js", "model.js", "edit.js", "files.js")]
    data = [path for path in (live / "data").iterdir() if path.suffix in (".onnx", ".json") or path.stem in ("synthesis", "latents")]
    return scripts + data


class Compressing(browser.Quiet):
    """A server that compresses what a browser takes compressed."""

    def do_GET(self) -> None:
        """The file in gzip; files that are packed already stay as they are."""
        path = Path(self.translate_path(self.path))
        if not path.is_file() or path.suffix == ".gz" or "gzip" not in self.headers.get("Accept-Encoding", ""):
            return super().do_GET()
        content = gzip.compress(path.read_bytes(), 6, mtime=0)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def distance(page: browser.Page) -> int:
    """Largest difference between the page's pixels and torch's over people, truncations, mixtures, moves and domains."""
    data = first_page().parent / "_static" / "live" / "data"
    table, definition = read_weights(data / "latents.safetensors")[0], json.loads((data / "live.json").read_text())
    hashes, names_of = shipped_hashes(), tuple(definition["directions"])
    domains = list(definition["domains"])
    models = {"generator": hashes["generator"]} | {name: hashes[f"adapted/{name}"] for name in domains}
    controls = Controls(Known(definition["num_ws"], "generator", models, names_of, definition["origin"]))
    directions, generator = dict(zip(names_of, table["directions"], strict=True)), zoo.load("generator")
    adapted, worst = {name: zoo.adapted(name) for name in domains}, 0
    for k in range(COMPARED):
        edit = pick(controls, domains, k)
        record = json.dumps(json.dumps(to_record(edit, controls.known)))
        pixels = page.run(f"(async (live) => {{ await live.load({record}); return [...live.last.pixels]; }})({LIVE})")
        ours = torch.tensor(pixels).view(64, 64, 4)[..., :3].permute(2, 0, 1)
        worst = max(worst, int((ours - to_uint8(draw(edit, generator, directions, adapted))[0].int()).abs().max()))
    return worst


def pick(controls: Controls, domains: list[str], k: int) -> Edit:
    """A setting of everything, another one for each k."""
    moves = tuple(Move(name, tuple(rows), strength) for name, rows, strength in zip(controls.known.directions, controls.places.values(), (1.5, -1.0, 2.0), strict=False))
    domain = ("", *domains)[k % (len(domains) + 1)]
    start = replace(controls.start(), seed=4 * k, psi=0.3 + 0.9 * (k % 4) / 3, second=255 - k, crossover=k % 11)
    return replace(start, domain=domain, share=0.25 + 0.25 * (k % 4) if domain else 1.0, moves=moves[: k % 4])


if __name__ == "__main__":
    main()
