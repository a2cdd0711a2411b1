"""What the benches found, for the book, from bench/results/history.csv: three tables and a figure in figures/.

tab-speed holds the generator against the published order of work, tab-speed-around its memory, its share of the machine's rate and
its variants, tab-speed-work everything else: the last run of every quantity on one machine.
fig-speed-history shows all runs of the generator, as ratios, one after the other.

    python bench/keep.py
    python bench/keep.py --machine "AMD EPYC"      if the history knows several machines (default: the last line's)
"""

import argparse
import csv
import json
import re
import sys

import pandas as pd

from record import HISTORY

from iplkit.plotting import label_end, new_figure
from iplkit.records import Origin, markdown_table, save_figure, save_table

ORIGIN = Origin("bench/keep.py", out="figures")
WHOLE = re.compile(r"generator, (\d+ px, batch \d+), forward and backward, (\d+) threads?: theirs against ours")
PASS = re.compile(r"generator, (\d+) px, batch \d+, (forward|forward and backward), (\d+) threads?: (.*(?:ours|peer))")
AGAINST = {"theirs against ours": "theirs, slower by", "peer against ours": "the peer, slower by", "the baseline against the peer": "theirs over the peer"}
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def rows_of(machine: str | None) -> list[dict]:
    """The history's lines of one machine that carry a ratio, oldest first; what was measured on code that is gone is "withdrawn"."""
    with HISTORY.open(newline="", encoding="utf-8") as stream:
        lines = [line for line in csv.DictReader(stream) if line["ratio"] and line["bench"] != "withdrawn"]
    wanted = machine or lines[-1]["machine"]
    return [line for line in lines if line["machine"] == wanted]


def table(lines: list[dict]) -> pd.DataFrame:
    """The last line of every quantity."""
    last = {line["quantity"]: line for line in lines}
    met = {"True": "yes", "False": "no"}
    cells = [[name, float(v["ratio"]), *reach(v), v["asked"], met.get(v["met"], "")] for name, v in last.items()]
    return pd.DataFrame(cells, columns=["quantity", "ratio", "lowest", "highest", "asked", "met"])


def reach(line: dict) -> tuple[float | str, float | str]:
    """Lowest and highest ratio; what was counted has none."""
    if json.loads(line["about"] or "{}").get("counted"):
        return "counted", ""
    return tuple(float(line[name]) if line[name] else "" for name in ("low", "high"))


def passes(lines: list[dict]) -> pd.DataFrame:
    """The generator against both others: a row for each size, number of threads and way."""
    found: dict[tuple, dict] = {}
    for line in lines:
        if match := PASS.fullmatch(line["quantity"]):
            size, way, threads, what = match.groups()
            found.setdefault((int(size), int(threads), way), {})[what] = line
    rows = []
    for (size, threads, way), cells in sorted(found.items(), key=lambda item: (item[0][0], item[0][1], len(item[0][2]))):
        asked = next((line for line in cells.values() if line["asked"].startswith(">=")), {})
        ratios = [f"{line['ratio']} ({line['low']} to {line['high']})" if (line := cells.get(what)) else "" for what in AGAINST]
        met = {"True": "yes", "False": "no"}.get(asked.get("met", ""), "")
        name = f"{size} px, {threads} thread{'s' * (threads > 1)}, {'there' if way == 'forward' else 'there and back'}"
        rows.append([name, *ratios, asked.get("asked", ""), met])
    return pd.DataFrame(rows, columns=["generator", *AGAINST.values(), "asked", "met"])


def history(lines: list[dict]):
    """Ratios of whole generators, a series for each size, in the order in which they were measured; hollow with one thread."""
    fig, ax = new_figure("text", 0.5)
    found = [(WHOLE.fullmatch(line["quantity"]), line) for line in lines]
    sizes = list(dict.fromkeys(match[1] for match, _ in found if match))
    for size, color in zip(sizes, COLORS, strict=False):
        mine = [(match, line) for match, line in found if match and match[1] == size]
        y = [float(line["ratio"]) for _, line in mine]
        reach = [[value - float(line["low"] or value) for value, (_, line) in zip(y, mine)], [float(line["high"] or value) - value for value, (_, line) in zip(y, mine)]]
        x = range(1, len(y) + 1)
        ax.errorbar(x, y, yerr=reach, color=color, linewidth=1, capsize=2)
        ax.scatter(x, y, s=14, edgecolors=color, facecolors=["white" if match[2] == "1" else color for match, _ in mine], zorder=3)
        label_end(ax, x[-1], y[-1], size, color)
    longest = max(sum(bool(match) and match[1] == size for match, _ in found) for size in sizes)
    ax.axhline(1, color="0.6", linewidth=0.8)
    ax.set(xticks=range(1, longest + 1), xlabel="measurement", ylabel="times as fast", ylim=(0, None), xlim=(0.5, longest + 0.9))
    return fig


def main() -> None:
    """Write both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", help="processor, as the history names it")
    options = parser.parse_args()
    if not HISTORY.is_file():
        sys.exit("bench/keep.py needs bench/results/history.csv; make bench writes it")
    lines = rows_of(options.machine)
    if not lines:
        sys.exit(f"the history needs lines of the machine {options.machine!r}; it has none")
    config = {name: lines[-1][name] for name in ("machine", "cores", "torch")}
    drawn = [line for line in lines if line["bench"].startswith(("generator", "memory"))]
    around = [line for line in drawn if not PASS.fullmatch(line["quantity"])]
    tables = {"tab-speed": passes(drawn), "tab-speed-around": table(around), "tab-speed-work": table([line for line in lines if line not in drawn])}
    for name, found in tables.items():
        print(markdown_table(found))
        save_table(found, name, ORIGIN, config=config, inputs=[HISTORY])
    save_figure(history(lines), "fig-speed-history", ORIGIN, config=config, inputs=[HISTORY], numbers={"runs": len(lines)})


if __name__ == "__main__":
    main()
