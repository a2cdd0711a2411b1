"""What the live page costs: bytes before the first picture, milliseconds a picture, distance from torch.

The page of the built book is opened in headless Chromium, one thread, and asked for pictures. Needs a built book and a
Chromium on the path.

    python bench/bench_live.py
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from iplkit import zoo
from iplkit.images import to_uint8
from iplkit.stage import first_page
from iplkit.web.controls import Controls, edited_ws
from iplkit.weights import read_weights

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import browser  # noqa: E402

PAGE = "notebooks/03b_live_edits.html"
PICTURES, WARM = 60, 10
LIVE = "document.querySelector('.live').live"
TIMES = f"""(async () => {{
  const found = {{}};
  const take = async (name, change) => {{
    found[name] = [];
    for (let i = 0; i < {PICTURES}; i++) {{ change(i); await {LIVE}.refresh(); found[name].push({LIVE}.last.ms); }}
  }};
  const name = {LIVE}.definition.directions[0];
  await take("another person, all layers", (i) => {{ {LIVE}.edit.seed = i; }});
  for (const place of ["coarse", "middle", "fine"])
    await take(`a step of the ${{place}} slider`, (i) => {{ {LIVE}.edit.offsets = {{ [name]: {{ [place]: (i + 1) / 40 }} }}; }});
  return found;
}})()"""


def main() -> None:
    """Print the three figures."""
    if browser.find() is None or not (first_page().parent / PAGE).is_file():
        print(f"bench_live needs Chromium and the built page {PAGE}; skipped")
        return
    with tempfile.TemporaryDirectory() as profile, browser.serve(first_page().parent) as address:
        page = browser.Page(browser.find(), Path(profile))
        try:
            page.open(address + PAGE)
            page.run("document.querySelector('.live-offer button').click()")
            page.until(f"!!{LIVE}")
            sizes = page.run("performance.getEntriesByType('resource').filter(e => e.name.includes('/live/')).map(e => e.transferSize)")
            print(f"before the first picture: {sum(sizes) / 1e6:.2f} MB in {len(sizes)} files, packed no further by the server")
            print(f"largest difference from torch: {distance(page)} of 255 levels")
            for name, times in page.run(TIMES).items():
                rest = times[WARM:]
                print(f"{name}: median {statistics.median(rest):.1f} ms, fastest {min(rest):.1f} ms")
            print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; outside requests: {len(page.outside(address))}")
        finally:
            page.close()


@torch.no_grad()
def distance(page: browser.Page) -> int:
    """Largest difference between the page's pixels and torch's over sixteen people, levels of 255."""
    generator = zoo.load("generator")
    data = first_page().parent / "_static" / "live" / "data"
    table, definition = read_weights(data / "latents.safetensors")[0], json.loads((data / "live.json").read_text())
    controls, worst = Controls(generator.num_ws, tuple(definition["directions"]), definition["domains"]), 0
    for seed in range(0, 256, 16):
        edit = controls.read(controls.start().asdict() | {"seed": seed, "psi": 1.0, "offsets": {controls.directions[0]: {"coarse": 0.5}}})
        pixels = page.run(f"(async () => {{ await {LIVE}.load({json.dumps(json.dumps(edit.asdict()))}); return [...{LIVE}.last.pixels]; }})()")
        ours = torch.tensor(pixels).view(64, 64, 4)[..., :3].permute(2, 0, 1)
        ws = edited_ws(edit, controls, table["w"], table["w_avg"], table["directions"])
        theirs = to_uint8(generator.synthesis(ws, noise_mode="const"))[0].int()
        worst = max(worst, int((ours - theirs).abs().max()))
    return worst


if __name__ == "__main__":
    main()
